"""A file of JSON lines that is only appended to, and survives being cut off at any byte."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import RunFolderError
from codesample.tasks.reader import Row

__all__ = ["JsonLines"]


class JsonLines:
    """Appends whole lines with one `write` each, straight to the kernel: a killed process loses none.

    Args:
        path: Made at the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows` in one piece; floats as their shortest exact text.

        Raises:
            RunFolderError: the file cannot be written or the disk is full; nothing partial is left.
        """
        data = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode("ascii")
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._descriptor = os.open(self.path, flags, 0o644)
            written = os.write(self._descriptor, data)
            if written != len(data):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(f"only {written} of {len(data)} bytes could be written; is the disk full?")
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def rows(self) -> Iterator[Row]:
        """Read the whole lines; a torn last one, still being written or cut off, is left out.

        Raises:
            RunFolderError: the file cannot be read, or a whole line is not a JSON object; names it.
        """
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield self._row(line, f"{self.path}:{number}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def cut_torn_line(self) -> str | None:
        """Cut off a last line without its end, which a killed process can leave behind.

        Returns: what was cut, as a notice, or None.

        Raises:
            RunFolderError: the file cannot be shortened.
        """
        try:
            with self.path.open("r+b") as file:
                whole = _end_of_last_line(file.seek(0, os.SEEK_END), file)
                torn = file.seek(0, os.SEEK_END) - whole
                if not torn:
                    return None
                file.truncate(whole)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be repaired: {error.strerror or error}") from error
        return f"{self.path.name}: cut off an incomplete last line of {torn} bytes; it will be made again"

    def close(self) -> None:
        """Bring everything to the disk and close; appending again opens the file again.

        Raises:
            RunFolderError: the disk did not take everything; the file is closed all the same.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _row(self, line: bytes, where: str) -> Row:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{where}: not JSON ({error}); the file was changed by something else"
            ) from error
        if not isinstance(value, dict):
            raise RunFolderError(f"{where}: holds {type(value).__name__}, expected an object")
        return Row(value, where)


def _end_of_last_line(size: int, file: Any) -> int:
    """Return the offset just behind the last newline, reading backwards in blocks."""
    block, end = 1 << 16, size
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + int(found) + 1
        end = start
    return 0
