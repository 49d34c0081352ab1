"""The system calls a program may make, as a shipped filter for each architecture.

An allow list: what is not named fails with EPERM, what the list's author could not know with ENOSYS.
There are threads but no processes, socket pairs but no sockets, and no signal to anyone else. What the
kernel would hold for a program beside its counted memory is kept small: buffers keep their default size,
threads share one table of descriptors, and shared memory belongs to a file.
"""

from __future__ import annotations

import ctypes
import os

from codesample.execution.isolation import bpf, syscalls
from codesample.execution.isolation.bpf import Argument
from codesample.execution.isolation.linux import syscall

__all__ = ["FILTERS", "VARIANTS", "Filter", "build"]

FILTERS = os.path.join(os.path.dirname(__file__), "filters")
"""Folder of the shipped filters."""

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP_NUMBER = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER = 1

# memory, file system, files, signal handlers, thread, semaphores, thread-local storage, two for its number:
# what the C library asks for a thread; one that shared less would keep a table of descriptors for itself
_CLONE_THREAD = 0x003D0F00
_CLONE_DETACHED = 0x00400000
_MAP_SHARED, _MAP_PRIVATE, _MAP_ANONYMOUS, _MAP_TYPE_MASK = 0x01, 0x02, 0x20, 0x0F
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | 0o20000000  # the last is O_TMPFILE's own bit

_CONDITIONS: dict[str, tuple[Argument, ...]] = {
    "clone": (Argument(0, (_CLONE_THREAD,), mask=0xFFFFFFFF & ~_CLONE_DETACHED),),
    # shared memory without a file stays whole, and uncounted, as long as one page of it is mapped
    "mmap": (
        Argument(
            3,
            (_MAP_SHARED, _MAP_PRIVATE, _MAP_PRIVATE | _MAP_ANONYMOUS),
            mask=_MAP_TYPE_MASK | _MAP_ANONYMOUS,
        ),
    ),
    # a datagram pair could still send to any named socket of the machine
    "socketpair": (Argument(0, (_AF_UNIX,)), Argument(1, (_SOCK_STREAM,), mask=_SOCK_TYPE_MASK)),
    "sendto": (Argument(4, (0,)), Argument(4, (0,), high=True)),
    "kill": (Argument(0, (bpf.SELF,)),),
    "tgkill": (Argument(0, (bpf.SELF,)),),
    "prlimit64": (Argument(0, (0, bpf.SELF)),),
    # set and get name; name a mapping, as the C library does
    "prctl": (Argument(0, (15, 16, 0x53564D41)),),
    # duplicates and flags; not F_SETOWN and F_SETSIG, which send signals, F_SETPIPE_SZ, which makes pipes
    # large, nor locks, which others may wait for
    "fcntl": (Argument(1, (0, 1, 2, 3, 4, 1030)),),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    "ioctl": (Argument(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),),
}
# get, set and wait for locks on parts of files, beside what all may
_LOCKING: dict[str, tuple[Argument, ...]] = {
    "fcntl": (Argument(1, (*_CONDITIONS["fcntl"][0].values, 5, 6, 7)),)
}
_READ_ONLY_OPEN: dict[str, tuple[Argument, ...]] = {
    "open": (Argument(1, (0,), mask=_WRITING),),
    "openat": (Argument(2, (0,), mask=_WRITING),),
}
_ABSENT = ("clone3", "openat2")

VARIANTS: dict[str, dict[str, tuple[Argument, ...]]] = {
    "confined": {},
    "read-only": _READ_ONLY_OPEN,
    "scratch": _LOCKING,
}
"""Which rules each filter has beside those of all.

"confined" leaves files to Landlock. "read-only" lets none be opened for writing, for kernels where Landlock
does not see to it. "scratch" lets files be changed, for programs that reach none but their own.
"""


def build(machine: str, variant: str) -> bytes:
    """Assemble a filter for `machine` ("x86_64" or "aarch64"), `bpf.SELF` standing for the pid."""
    known = syscalls.numbers(machine, changing_files=variant == "scratch")
    rules = {**_CONDITIONS, **VARIANTS[variant]}
    return bpf.assemble(
        architecture=_ARCHITECTURES[machine],
        allowed=[number for name, number in known.items() if name not in rules and name not in _ABSENT],
        conditions={known[name]: tests for name, tests in rules.items() if name in known},
        absent=[known[name] for name in _ABSENT],
        highest=syscalls.HIGHEST[machine],
    )


class _FilterCode(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """A shipped filter read into memory, to be loaded by each child after it is forked."""

    def __init__(self, variant: str) -> None:
        """Read the filter for this machine; raises OSError where none is shipped."""
        self._machine = os.uname().machine
        with open(os.path.join(FILTERS, f"{variant}-{self._machine}.bpf"), "rb") as file:
            code = file.read()
        self._code = ctypes.create_string_buffer(code, len(code))
        self._header = _FilterCode(len(code) // bpf.INSTRUCTION.size, ctypes.addressof(self._code))
        self._reference = ctypes.byref(self._header)
        self._pid_offsets = [
            at + 4
            for at in range(0, len(code), bpf.INSTRUCTION.size)
            if int.from_bytes(code[at + 4 : at + 8], "little") == bpf.SELF
        ]

    def load(self) -> None:
        """Put the calling thread and its later threads under the filter for good; raises OSError."""
        pid = os.getpid().to_bytes(4, "little")
        for at in self._pid_offsets:
            ctypes.memmove(ctypes.addressof(self._code) + at, pid, len(pid))
        syscall(_SECCOMP_NUMBER[self._machine], _SET_MODE_FILTER, 0, self._reference)


def main() -> None:
    """Write the filters of every architecture to the package, to be committed."""
    for machine in _ARCHITECTURES:
        for variant in VARIANTS:
            with open(os.path.join(FILTERS, f"{variant}-{machine}.bpf"), "wb") as file:
                file.write(build(machine, variant))


if __name__ == "__main__":
    main()
