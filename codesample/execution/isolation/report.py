"""Levels of isolation and the report of what this machine grants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from codesample.errors import UnknownNameError

__all__ = ["Isolation", "Level", "Mechanism"]


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
            known = [level.label for level in cls]
            raise UnknownNameError("isolation level", text, known, f"Levels: {', '.join(known)}") from None


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One means of isolation: whether this machine grants it, and its version or why not."""

    granted: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Isolation:
    """What was found by trying each mechanism and a set of small attacks in a real child process.

    Attributes:
        level: The level in use, or in a probe's report the strongest one granted.
        mechanisms: By name: landlock, seccomp, namespaces, bwrap, spare_uid, run_queue_clock.
        attacks: By name, whether the child was kept from it at `level`.
        kernel, machine: Release and architecture, such as "6.1.0" and "x86_64".
        uid_policy: Under which user programs run.
        python: Version of the interpreter that runs programs.
        hash_seed: PYTHONHASHSEED of that interpreter.
        remedy: What would raise the level, or "".
    """

    level: Level
    mechanisms: Mapping[str, Mechanism]
    attacks: Mapping[str, bool]
    kernel: str
    machine: str
    uid_policy: str
    python: str
    hash_seed: str
    remedy: str

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain JSON data, as it stands in a run folder."""
        return {
            "level": self.level.label,
            "mechanisms": {
                name: {"granted": item.granted, "detail": item.detail}
                for name, item in self.mechanisms.items()
            },
            "attacks": dict(self.attacks),
            "kernel": self.kernel,
            "machine": self.machine,
            "uid_policy": self.uid_policy,
            "python": self.python,
            "hash_seed": self.hash_seed,
            "remedy": self.remedy,
        }
