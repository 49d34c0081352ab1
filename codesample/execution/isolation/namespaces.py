"""Own mount, network, IPC and host-name namespaces: the machine's files and network have no names.

The new root is an empty tmpfs with read-only bind mounts of what programs may read. Made once for each
zygote, because a network namespace costs as much as running a program.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from codesample.execution.isolation.linux import syscall

__all__ = ["STREAMS", "enter"]

STREAMS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
}
"""Names of a process's own streams, and what they link to."""

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWNET = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID = 1, 2

# unshare, mount, pivot_root, umount2; mount_setattr has one number everywhere
_NUMBERS = {"x86_64": (272, 165, 155, 166), "aarch64": (97, 40, 41, 39)}
_MOUNT_SETATTR = 442

_SCRATCH_FILES = 1_024

_STAGE = "/tmp"
"""Any folder will do: it is covered in this process's own view alone."""


def enter(
    *,
    readable: Iterable[str],
    devices: Iterable[str],
    folder: str,
    scratch: int = 0,
    owner: int | None = None,
) -> None:
    """Move this process into namespaces of its own where only the given paths exist.

    Args:
        readable: Files and folders to show, read-only; missing ones are left out.
        devices: Device files to show.
        folder: Becomes an empty folder.
        scratch: Bytes of files that the folder can hold, a thousand of them; 0 for none.
        owner: User of the folder that holds files; None for this process's own.

    Raises:
        OSError: the kernel, a container's filter or a security module refuses.
    """
    unshare, _, pivot_root, unmount = _NUMBERS[os.uname().machine]
    user, group = os.geteuid(), os.getegid()
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWNET
    syscall(unshare, flags if user == 0 else flags | _NEWUSER)
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _mount("none", "/", flags=_REC | _PRIVATE)
    sources = {
        path: os.open(path, os.O_PATH)
        for path in sorted({*readable, *devices, "/proc"})
        if os.path.exists(path)
    }
    _mount("tmpfs", _STAGE, kind="tmpfs", flags=_NOSUID | _NODEV, options="mode=0755,size=1m")
    os.makedirs(_STAGE + folder, exist_ok=True)
    for path, descriptor in sources.items():
        # a path may already be there as part of one shown before
        if path != folder and not os.path.exists(_STAGE + path):
            _show(f"/proc/self/fd/{descriptor}", _STAGE + path)
        os.close(descriptor)
    os.makedirs(f"{_STAGE}/dev", exist_ok=True)
    for name, target in STREAMS.items():
        os.symlink(target, _STAGE + name)
    attributes = struct.pack("=QQQQ", _ATTR_RDONLY | _ATTR_NOSUID, 0, 0, 0)
    syscall(_MOUNT_SETATTR, _AT_FDCWD, _text(_STAGE), _AT_RECURSIVE, attributes, len(attributes))
    if scratch:
        options = f"size={scratch},nr_inodes={_SCRATCH_FILES},mode=0700"
        if owner is not None:
            options += f",uid={owner},gid={owner}"
        _mount("tmpfs", _STAGE + folder, kind="tmpfs", flags=_NOSUID | _NODEV | _NOEXEC, options=options)
    os.chdir(_STAGE)
    syscall(pivot_root, _text("."), _text("."))
    syscall(unmount, _text("."), _DETACH)
    os.chdir("/")


def _show(source: str, target: str) -> None:
    """Bind a file or folder to a place of the same kind."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        open(target, "x").close()
    _mount(source, target, flags=_BIND | _REC)


def _mount(source: str, target: str, *, kind: str = "none", flags: int, options: str = "") -> None:
    number = _NUMBERS[os.uname().machine][1]
    syscall(number, _text(source), _text(target), _text(kind), flags, _text(options))


def _text(value: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(os.fsencode(value))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
