"""Levels of isolation, by themselves: zygotes import this module, and pay for all it imports at each fork."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Level"]


class Level(IntEnum):
    """How far a program is kept from the machine; each level adds to the one below.

    NONE: limits on time and memory only. LIMITED: seccomp; files can be read, nothing can be written,
    sent or started. CONFINED: Landlock; only the Python library can be read. NAMESPACED: own mount,
    network, IPC and host-name namespaces; the machine's files have no names at all.
    """

    NONE = 0
    LIMITED = 1
    CONFINED = 2
    NAMESPACED = 3

    @property
    def label(self) -> str:
        """The name as written on the command line and in run files."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Level:
        """Return the level of that label.

        Raises:
            UnknownNameError: no such level; near names are suggested.
        """
        try:
            return cls[text.upper()]
        except KeyError:
            # only the caller parses, and children load nothing for it
            from codesample.errors import UnknownNameError

            known = [level.label for level in cls]
            raise UnknownNameError("isolation level", text, known, f"Levels: {', '.join(known)}") from None
