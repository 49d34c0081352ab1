"""Keeps two processes, or two parts of one, from appending to the same run folder."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from codesample.errors import RunFolderError

__all__ = ["FolderLock"]


class FolderLock:
    """An advisory lock, released when the process ends, however it ends; children do not inherit it."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            RunFolderError: it is held, or the folder cannot be written.
        """
        path = folder / ".lock"
        self._lock = FileLock(
            path,
            thread_local=False,
            blocking=False,
            # a lock that is only a file outlives its process
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=_sign,
        )
        try:
            self._lock.acquire()
        except Timeout as error:
            holder = _holder(path)
            if holder == _signature():
                raise RunFolderError(
                    f"{folder}: already open for writing in this process; close it first"
                ) from error
            raise RunFolderError(
                f"{folder}: another process ({holder or 'unknown'}) is writing this run; "
                "wait for it or choose another folder"
            ) from error
        except OSError as error:
            reason = "its .lock is a link" if error.errno == errno.ELOOP else error.strerror
            raise RunFolderError(f"{folder}: cannot be written: {reason}; choose another") from error

    def release(self) -> None:
        """Let others write; may be called again."""
        self._lock.release()


def _signature() -> str:
    return f"pid {os.getpid()}"


def _sign(descriptor: int) -> None:
    """Leave word of who holds the lock; refuse what is no plain file, such as a pipe."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "its .lock is not a plain file")
    if status.st_nlink > 1:
        # another name of the same file, whose content is not ours
        return
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{_signature()}\n".encode("ascii"), 0)


def _holder(path: Path) -> str:
    """Return the holder's signature, or "" where it left none."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return os.read(descriptor, 32).decode("ascii", "replace").strip()
        finally:
            os.close(descriptor)
    return ""
