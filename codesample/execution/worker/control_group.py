"""A control group round a zygote and its children, where this process may make one.

It bounds what a program and the kernel for it hold together, to the page. One program runs in it at a time.
Where none is to be had the limits of the process and the watch over it stand alone. Version 1 grants groups
to root; version 2 to whom a part of the tree was delegated, as systemd does for a user's own services.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import NamedTuple

__all__ = ["ControlGroup", "make_group", "remove_left_groups"]

_PREFIX = "codesample-"
_NAME_BYTES = 8
_MARGIN = 64 << 20
_MAX_PROCESSES = 128
_EVENTS_BYTES = 4_096
_MAKING_ATTEMPTS = 20
_REMOVING_ATTEMPTS, _REMOVING_SECONDS = 20, 0.25


class _Kind(NamedTuple):
    """How one version of control groups calls its files; `limits` in the order that they are raised in."""

    version: int
    limits: tuple[str, ...]
    events: str


_FIRST = _Kind(1, ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes"), "memory.oom_control")
_SECOND = _Kind(2, ("memory.max",), "memory.events")


class ControlGroup:
    """A group with one zygote in it.

    Attributes:
        version: Of the kernel's interface, 1 or 2.
    """

    def __init__(self, path: str, kind: _Kind) -> None:
        """Take over a fresh group; see `make_group`.

        Raises:
            OSError: it bounds no memory, or does not say whom that has cost his life.
        """
        self._path, self._limits, self.version = path, kind.limits, kind.version
        self._allowed = self._kills = 0
        os.stat(os.path.join(path, kind.limits[-1]))
        self._events = os.open(os.path.join(path, kind.events), os.O_RDONLY | os.O_CLOEXEC)

    def admit(self, memory: int) -> None:
        """Let the next program hold so many bytes, and 64 MiB for what the kernel holds for it."""
        self._kills = self._count_kills()
        if memory == self._allowed:
            return
        self._allowed = memory
        # the first file may not say less than the second, so when lowered they go the other way round
        for name in (*reversed(self._limits), *self._limits):
            with contextlib.suppress(OSError):
                _write(self._path, name, str(memory + _MARGIN))

    def ran_out(self) -> bool:
        """Whether the kernel has ended a process of the group, for want of memory, since the last program."""
        return self._count_kills() > self._kills

    def close(self) -> None:
        """Remove the group once its last process is gone."""
        os.close(self._events)
        for _ in range(_REMOVING_ATTEMPTS):
            try:
                os.rmdir(self._path)
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_REMOVING_SECONDS / _REMOVING_ATTEMPTS)
            else:
                return

    def _count_kills(self) -> int:
        try:
            events = os.pread(self._events, _EVENTS_BYTES, 0)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            # with its last process dead, another maker may have removed the group as one left behind
            return self._kills
        for line in events.splitlines():
            name, _, value = line.partition(b" ")
            if name == b"oom_kill":
                return int(value)
        return 0


def make_group(pid: int) -> ControlGroup | None:
    """Put a process into a group of its own, with its later children; None where that is refused."""
    remove_left_groups()
    for parent, kind in _parents():
        for _ in range(_MAKING_ATTEMPTS):
            path = os.path.join(parent, _PREFIX + os.urandom(_NAME_BYTES).hex())
            try:
                os.mkdir(path)
            except OSError:
                break
            group = _taken_over(path, kind, pid)
            if group is not None:
                return group
            try:
                os.rmdir(path)
            except FileNotFoundError:
                # still empty, it looked left behind to another process that makes one
                continue
            except OSError:
                pass
            break
    return None


def _taken_over(path: str, kind: _Kind, pid: int) -> ControlGroup | None:
    """Put a process into a fresh group; None, and the group empty, where that is refused."""
    try:
        group = ControlGroup(path, kind)
    except OSError:
        return None
    try:
        with contextlib.suppress(OSError):
            _write(path, "pids.max", str(_MAX_PROCESSES))
        _write(path, "cgroup.procs", str(pid))
    except OSError:
        os.close(group._events)
        return None
    return group


def remove_left_groups() -> None:
    """Remove groups whose makers were killed; those with a process in them stay."""
    for parent, _ in _parents():
        with contextlib.suppress(OSError):
            for name in os.listdir(parent):
                if name.startswith(_PREFIX):
                    with contextlib.suppress(OSError):
                        os.rmdir(os.path.join(parent, name))


def _parents() -> list[tuple[str, _Kind]]:
    """Folders in which groups with a bound on memory might be made, best first."""
    try:
        with open("/proc/self/cgroup") as file:
            own = [line.rstrip("\n").split(":", 2) for line in file]
        with open("/proc/self/mounts") as file:
            mounts = [line.split() for line in file]
    except OSError:
        return []
    found: list[tuple[str, _Kind]] = []
    for _, controllers, path in own:
        for _, place, system, options, *_ in mounts:
            here = os.path.normpath(place + path)
            if system == "cgroup" and "memory" in controllers.split(",") and "memory" in options.split(","):
                found.append((here, _FIRST))
            elif system == "cgroup2" and not controllers:
                # a group that holds processes, as this process's own does, passes nothing on to others in it
                beside = [here] if here == place else [os.path.dirname(here), here]
                found += [(each, _SECOND) for each in beside if _passes_memory_on(each)]
    return found


def _passes_memory_on(path: str) -> bool:
    with contextlib.suppress(OSError), open(os.path.join(path, "cgroup.subtree_control")) as file:
        return "memory" in file.read().split()
    return False


def _write(path: str, name: str, text: str) -> None:
    # never made anew: in a folder that is no group there is nothing of the name
    descriptor = os.open(os.path.join(path, name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
