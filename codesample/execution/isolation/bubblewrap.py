"""Namespaces by way of `bwrap`, for machines that grant them to it and refuse them to others."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from codesample.execution.isolation.namespaces import STREAMS

__all__ = ["find", "wrapper"]

_PACKAGE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
_SHARED = ("--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts")


def find() -> str:
    """Return the path of the command; "" where it is missing or of no use: root needs no help."""
    # zygotes import this module, and every page they hold is paid for again at each fork
    import shutil

    return "" if os.geteuid() == 0 else shutil.which("bwrap") or ""


def wrapper(program: str, *, readable: Iterable[str], devices: Iterable[str], folder: str) -> list[str]:
    """Return the command to put before a zygote's, so that it starts in namespaces of its own.

    Args:
        program: Path of `bwrap`.
        readable: Files and folders that programs may read; shown read-only with Python itself.
        devices: Device files to show.
        folder: Becomes an empty folder.
    """
    shown = {*readable, _PACKAGE, sys.prefix, sys.base_prefix, "/proc"} - {folder}
    command = [program, *_SHARED, "--die-with-parent"]
    for path in sorted(shown):
        command += ["--ro-bind-try", path, path]
    for path in devices:
        command += ["--dev-bind-try", path, path]
    for path, target in STREAMS.items():
        command += ["--symlink", target, path]
    return [*command, "--dir", folder, "--chdir", "/", "--"]
