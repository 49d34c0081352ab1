"""Keeps two processes, or two parts of one, from appending to the same run folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from codesample.errors import RunFolderError

__all__ = ["FolderLock"]

_held: set[tuple[int, int]] = set()


class FolderLock:
    """An advisory lock, released when the process ends, however it ends.

    Record locks do not pass to forked children, so a left-over worker cannot keep a run locked. They do not
    bar the same process either; a set of the folders held here does.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            RunFolderError: it is held, or the folder cannot be written.
        """
        self._key: tuple[int, int] | None = None
        path = folder / ".lock"
        try:
            # looked at before opening: closing any descriptor of the file drops the lock this process holds
            if path.exists() and _identity(path.stat()) in _held:
                raise RunFolderError(f"{folder}: already open for writing in this process; close it first")
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._key = self._take(folder)
            except BaseException:
                os.close(self._descriptor)
                raise
        except OSError as error:
            raise RunFolderError(f"{folder}: cannot be written: {error.strerror}; choose another") from error
        _held.add(self._key)

    def _take(self, folder: Path) -> tuple[int, int]:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            raise RunFolderError(
                f"{folder}: another process ({holder or 'unknown'}) is writing this run; "
                "wait for it or choose another folder"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"pid {os.getpid()}\n".encode("ascii"), 0)
        return _identity(os.fstat(self._descriptor))

    def release(self) -> None:
        """Let others write; may be called again."""
        if self._key is not None:
            _held.discard(self._key)
            os.close(self._descriptor)
            self._key = None


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
