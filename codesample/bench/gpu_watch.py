"""Ends the GPU benchmark where something never ends, and tells the next call what that was.

Whoever waits for a kernel that never ends may hold the interpreter's lock, so that no thread of Python's can
do anything about it. The clock is therefore another's, and what was begun stands in a file beforehand; that
file is also what a call leaves that was killed, or died of its driver.
"""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from codesample.bench.measurements import Measurement

__all__ = ["Watch"]

_FILE = "begun.json"
_STDERR = 2


class Watch:
    """Watches over what is done, one thing after the other.

    Args:
        folder: Where what was begun is noted.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE

    def left(self) -> Measurement | None:
        """Return what an earlier call has begun and did not live to end, once."""
        found = None
        with suppress(OSError, ValueError):
            found = json.loads(self._file.read_text(encoding="utf-8"))
        self._clear()
        return found if isinstance(found, dict) and "kind" in found else None

    @contextmanager
    def over(self, what: Measurement, seconds: float | None) -> Iterator[None]:
        """End the process, and say where it stood, if the block takes longer.

        Args:
            what: Is done in it.
            seconds: How long it may take; None lets it.
        """
        # without the note a call that hangs ends all the same
        with suppress(OSError):
            self._file.write_text(json.dumps(what), encoding="utf-8")
        if seconds is not None:
            faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
        try:
            yield
        finally:
            if seconds is not None:
                faulthandler.cancel_dump_traceback_later()
            self._clear()

    def _clear(self) -> None:
        with suppress(OSError):
            self._file.unlink(missing_ok=True)
