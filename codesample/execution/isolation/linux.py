"""The few system calls that the standard library does not wrap, through the C library and ctypes."""

from __future__ import annotations

import ctypes
import os

__all__ = [
    "PR_SET_CHILD_SUBREAPER",
    "PR_SET_DUMPABLE",
    "PR_SET_THP_DISABLE",
    "SIGKILL",
    "die_with_parent",
    "drop_capabilities",
    "end_process",
    "no_new_privileges",
    "prctl",
    "syscall",
]

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_THP_DISABLE = 41
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
SIGKILL = 9

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: object) -> int:
    """Make a system call; integers go as C longs.

    Raises:
        OSError: with the call's errno.
    """
    values = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result: int = _LIBC.syscall(ctypes.c_long(number), *values)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def prctl(option: int, *values: int) -> int:
    """Change a setting of this process; up to four values.

    Raises:
        OSError: with the call's errno.
    """
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    result: int = _LIBC.prctl(ctypes.c_int(option), *padded)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def no_new_privileges() -> None:
    """Make exec unable to grant rights, as seccomp and Landlock require; raises OSError."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the parent dies, and end now if process `parent` is already gone."""
    prctl(_PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def drop_capabilities() -> None:
    """Give up every capability, the bounding and ambient sets included; raises OSError."""
    for capability in range(64):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _LIBC.capset(header, nothing) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def end_process(status: int) -> None:
    """End this process as a program in C ends, its buffers included, and leave out all that Python does."""
    _LIBC.exit(ctypes.c_int(status))
