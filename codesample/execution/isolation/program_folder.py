"""The empty folder that programs are in; nothing of it stays, however its owner ends.

In namespaces of their own programs see a folder that exists nowhere else. Elsewhere it is one of the
machine's, locked by its owner: whoever comes next removes those that nobody holds a lock on any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from codesample.execution.isolation.level import Level

__all__ = ["program_folder", "remove_left"]

_UNSEEN = "/tmp/codesample-program"
_PREFIX = "codesample-program-"
_NAME_BYTES = 8


@contextlib.contextmanager
def program_folder(level: Level, parent: str) -> Iterator[str]:
    """Give the path of an empty folder for the programs of this process.

    Args:
        level: From namespaces on, none is made: the path is one that programs alone will see.
        parent: Where it is made otherwise, such as /tmp.

    Raises:
        OSError: it cannot be made.
    """
    if level >= Level.NAMESPACED:
        yield _UNSEEN
        return
    remove_left(parent)
    path, lock = _make(parent)
    try:
        yield path
    finally:
        _remove(path)
        os.close(lock)


def remove_left(parent: str) -> None:
    """Remove this user's folders whose owners are gone."""
    try:
        names = [name for name in os.listdir(parent) if name.startswith(_PREFIX)]
    except OSError:
        return
    for path in (os.path.join(parent, name) for name in names):
        with contextlib.suppress(OSError):
            lock = _locked(path)
            _remove(path)
            os.close(lock)


def _make(parent: str) -> tuple[str, int]:
    while True:
        path = os.path.join(parent, _PREFIX + os.urandom(_NAME_BYTES).hex())
        os.mkdir(path, 0o755)
        # someone else may find it before it is locked, and takes it for one that was left
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            # programs may be another user's, whatever the mask
            os.chmod(path, 0o755)
            lock = _locked(path)
            if os.fstat(lock).st_nlink:
                return path, lock
            os.close(lock)


def _locked(path: str) -> int:
    """Return a descriptor that holds the lock of a folder of ours; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{path} is another user's")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove(path: str) -> None:
    """Remove a folder, and what programs that nothing confined have left in it."""
    try:
        os.rmdir(path)
    except OSError:
        # rare, and slow to load
        import shutil

        shutil.rmtree(path, ignore_errors=True)
