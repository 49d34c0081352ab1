"""The folder `artefacts/`: what is made once and used by many, such as generated tests, by kind and key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec

from codesample.errors import RunFolderError
from codesample.records.validation import validated
from codesample.runs.files import JsonLines

__all__ = ["Artefacts", "artefact_key"]


class _Line(msgspec.Struct, gc=False):
    key: str
    value: Any


def artefact_key(*parts: Any) -> str:
    """Return a short text that is the same for the same parts, and another one for others.

    Args:
        parts: Plain JSON data: everything that what is made depends on.
    """
    spelt = json.dumps(parts, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(spelt.encode("ascii")).hexdigest()[:32]


@validated
class Artefacts:
    """Things of one kind, each made once: what a killed process had finished is there again.

    Args:
        file: Made at the first `put`.
        writable: Whether this process holds the run's lock; others can only read.
    """

    def __init__(self, file: Path, *, writable: bool) -> None:
        self._lines, self._writable = JsonLines(file), writable
        self._known: dict[str, Any] | None = None
        self._cut = False

    def __len__(self) -> int:
        """Return how many there are; raises as `get`."""
        return len(self._all())

    def get(self, key: str) -> Any:
        """Return what was put under a key, as plain JSON data, or None.

        Raises:
            RunFolderError, DataError: a line is malformed; names file and line.
        """
        return self._all().get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep plain JSON data under a key; what is there already stays.

        Raises:
            RunFolderError: the run is open for reading only, or the file cannot be written.
        """
        if not self._writable:
            raise RunFolderError(f"{self._lines.path}: open for reading only; open the run with write=True")
        known = self._all()
        if key in known:
            return
        if not self._cut:
            try:
                self._lines.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunFolderError(
                    f"{self._lines.path.parent}: cannot be made: {error.strerror}"
                ) from error
            self._lines.cut_torn_line()
            self._cut = True
        self._lines.append(json.dumps({"key": key, "value": value}, separators=(",", ":")))
        known[key] = value

    def close(self) -> None:
        """Bring everything to the disk; may be called again."""
        self._lines.close()

    def _all(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {}
            for line, _ in self._lines.read(_Line):
                self._known.setdefault(line.key, line.value)
        return self._known
