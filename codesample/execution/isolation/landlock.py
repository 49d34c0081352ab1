"""Landlock: the calling process may open only what lies beneath given paths, whoever owns it.

Needs Linux 5.13 with the security module enabled; later versions of its interface add TCP ports (4)
and signals and abstract sockets (6). Source: the kernel's userspace-api/landlock document.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from codesample.execution.isolation.linux import syscall

__all__ = ["interface_version", "restrict_self"]

# the same three numbers on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG, _REFER = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13
_OWNING = _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE | _WRITE_FILE
_TCP_RIGHTS = 0b11
_SCOPES = 0b11


def interface_version() -> int:
    """Return the interface version of the running kernel; 0 where there is no Landlock."""
    try:
        return syscall(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict_self(
    *,
    readable: Iterable[str],
    listable: Iterable[str],
    devices: Iterable[str],
    writable: Iterable[str] = (),
) -> None:
    """Deny the calling thread and its later children, for good, all but what is asked for here.

    Files and folders beneath `readable` may be read, folders beneath `listable` listed, `devices` used.
    Beneath `writable` plain files and folders may be made, changed and removed. Paths that do not exist are
    left out.

    Raises:
        OSError: the kernel has no Landlock or refuses the rules.
    """
    version = interface_version()
    handled = max((mask for since, mask in _FILE_RIGHTS.items() if since <= version), default=0)
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", _TCP_RIGHTS)
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    ruleset = syscall(_CREATE_RULESET, buffer, len(attributes), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in listable:
            _allow(ruleset, path, _READ_DIR)
        for path in devices:
            _allow(ruleset, path, handled & (_READ_FILE | _WRITE_FILE | _TRUNCATE))
        for path in writable:
            _allow(ruleset, path, handled & (_READ_FILE | _READ_DIR | _OWNING))
        syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        rule = struct.pack("=Qi", rights, beneath)
        buffer = ctypes.create_string_buffer(rule, len(rule))
        syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, buffer, 0)
    finally:
        os.close(beneath)
