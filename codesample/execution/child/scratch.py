"""Empties the scratch folder between two programs; loaded only by zygotes that have one."""

from __future__ import annotations

import os

__all__ = ["emptied"]

_DEEPEST = 32


def emptied(folder: int) -> bool:
    """Remove all that a program left in the open folder; return whether that went as for any honest one.

    Where it did not, what is left goes with the zygote.
    """
    try:
        _empty(folder, _DEEPEST)
    except OSError:
        return False
    return True


def _empty(folder: int, depth: int) -> None:
    if depth == 0:
        raise OSError("folders within folders without end")
    os.fchmod(folder, 0o700)
    with os.scandir(folder) as listed:
        entries = list(listed)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            continue
        os.chmod(entry.name, 0o700, dir_fd=folder)
        inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            _empty(inner, depth - 1)
        finally:
            os.close(inner)
        os.rmdir(entry.name, dir_fd=folder)
