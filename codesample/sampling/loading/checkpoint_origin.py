"""Where a checkpoint comes from: as the caller named it, and as transformers is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CheckpointOrigin"]


@dataclass(frozen=True, slots=True)
class CheckpointOrigin:
    """A checkpoint by name and place.

    Attributes:
        name: As the caller gave it.
        source: The folder or hub id that the name means.
        revision: Branch, tag or commit of a hub id.
        trusted: Whether code that it brings may be run.
    """

    name: str
    source: str
    revision: str | None = None
    trusted: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What every `from_pretrained` is given.

        Without an answer to the question whether to trust, transformers asks on standard input.
        """
        return {"revision": self.revision, "trust_remote_code": self.trusted}
