"""Files that survive a writer killed at any byte: lines that are only appended, and files replaced whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from codesample.decoding import NotJsonError, decoded
from codesample.errors import RunFolderError

__all__ = ["JsonLines", "open_plain", "replace_file"]

_T = TypeVar("_T")


def open_plain(path: Path, flags: int) -> int:
    """Open a file and return its descriptor; never waits, as opening a pipe would.

    Args:
        flags: Of `os.open`. Where they write, a link is not followed either: what it leads to is not ours.

    Raises:
        OSError: it cannot be opened, or is a link or no plain file.
    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC
    if flags & (os.O_WRONLY | os.O_RDWR):
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link; put a file in its place") from error
        if error.errno == errno.ENXIO:
            # a pipe that nobody reads
            raise _not_plain() from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_plain()
    return descriptor


def _not_plain() -> OSError:
    return OSError(errno.EINVAL, "it is not a plain file")


class JsonLines:
    """Appends whole lines with one `write` each, straight to the kernel: a killed process loses none.

    Args:
        path: Made at the first append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def append(self, line: str) -> None:
        """Write one line, given without its end.

        Raises:
            RunFolderError: the file cannot be written or the disk is full; nothing partial is left.
        """
        data = f"{line}\n".encode("ascii")
        try:
            if self._descriptor is None:
                self._descriptor = open_plain(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            written = os.write(self._descriptor, data)
            if written != len(data):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(f"only {written} of {len(data)} bytes could be written; is the disk full?")
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def read(self, kind: type[_T]) -> Iterator[tuple[_T, str]]:
        """Read each whole line as a `kind`, with its place in the file.

        A torn last line, still being written or cut off, is left out. What `kind` does not ask for is
        skipped, not read.

        Raises:
            RunFolderError: the file cannot be read, or a whole line is not a JSON object; names it.
            DataError: a field is missing or malformed; names the line and the field.
        """
        return ((value, where) for value, where, _ in self.with_bytes(kind))

    def with_bytes(self, kind: type[_T]) -> Iterator[tuple[_T, str, bytes]]:
        """Read likewise, each line also as it stands in the file, with its end.

        Raises:
            RunFolderError, DataError: as `read`.
        """
        try:
            with open(open_plain(self.path, os.O_RDONLY), "rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        where = f"{self.path}:{number}"
                        yield decoded(line, kind, where=where), where, line
        except FileNotFoundError:
            return
        except NotJsonError as error:
            raise RunFolderError(f"{error}; the file was changed by something else") from error
        except OSError as error:
            raise RunFolderError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def cut_torn_line(self) -> str | None:
        """Cut off a last line without its end, which a killed process can leave behind.

        Returns: what was cut, as a notice, or None.

        Raises:
            RunFolderError: the file cannot be shortened.
        """
        try:
            with open(open_plain(self.path, os.O_RDWR), "r+b") as file:
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


def replace_file(path: Path, text: str) -> None:
    """Replace the content of a file, or make it, in one step; on the disk when this returns.

    Raises:
        RunFolderError: it cannot be written; the old file stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        # what a killed writer left goes first: the file is always a new one, so that no link is followed
        # and no pipe waited for
        with suppress(FileNotFoundError):
            partial.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(partial, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written: {error.strerror}; choose another folder") from error


def _end_of_last_line(size: int, file: BinaryIO) -> int:
    """Return the offset just behind the last newline, reading backwards in blocks."""
    block, end = 1 << 16, size
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
