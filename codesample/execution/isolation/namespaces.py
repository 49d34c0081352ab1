"""Own mount, network, IPC and host-name namespaces: the machine's files and network have no names.

The new root is an empty tmpfs with read-only bind mounts of what programs may read. Made once for each
zygote, because a network namespace costs as much as running a program.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from codesample.execution.isolation.linux import syscall

__all__ = ["enter"]

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x40000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_NUMBERS = {"x86_64": (272, 165, 155, 166), "aarch64": (97, 40, 41, 39)}
_STAGE = "/tmp"


def enter(readable: Iterable[str], devices: Iterable[str], folder: str) -> None:
    """Move this process into namespaces of its own where only the given paths exist.

    Args:
        readable: Paths to show, read-only; missing ones are left out.
        devices: Device files to show.
        folder: Becomes an empty folder.

    Raises:
        OSError: the kernel, a container's filter or a security module refuses.
    """
    unshare, mount, pivot_root, unmount = _NUMBERS[os.uname().machine]
    uid, gid = os.getuid(), os.getgid()
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWNET
    syscall(unshare, flags if uid == 0 else flags | _NEWUSER)
    if uid != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")

    def attach(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
        texts = [ctypes.c_char_p(text.encode()) if text else None for text in (source, target, kind)]
        syscall(mount, *texts, flags, ctypes.c_char_p(options.encode()) if options else None)

    attach("none", "/", None, _REC | _PRIVATE)
    sources = {path: os.open(path, os.O_PATH) for path in (*readable, *devices) if os.path.exists(path)}
    attach("tmpfs", _STAGE, "tmpfs", _NOSUID | _NODEV, "mode=0755,size=1m")
    for path, descriptor in sources.items():
        target = _STAGE + path
        if path == folder:
            os.makedirs(target, 0o755, exist_ok=True)
        elif not os.path.exists(target):
            _make_place(f"/proc/self/fd/{descriptor}", target)
            attach(f"/proc/self/fd/{descriptor}", target, None, _BIND | _REC)
            locked = 0 if path.startswith("/dev/") else _RDONLY | _NOSUID | _NODEV
            if locked:
                _protect(attach, target, locked)
        os.close(descriptor)
    os.makedirs(f"{_STAGE}/proc", exist_ok=True)
    attach("/proc", f"{_STAGE}/proc", None, _BIND | _REC)
    os.chdir(_STAGE)
    syscall(pivot_root, ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    syscall(unmount, ctypes.c_char_p(b"."), _DETACH)
    os.chdir("/")
