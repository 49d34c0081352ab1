"""What a running process uses, read from outside: its clock, and what /proc says."""

from __future__ import annotations

import os
import time

__all__ = ["QueueCredit", "cpu_seconds", "held_bytes"]

_THREADS_LOOKED_AT = 64
_THREAD_BYTES = 32 << 10
_HELD = (b"RssAnon:", b"RssShmem:", b"VmPTE:", b"VmSwap:")


def cpu_seconds(pid: int, before: float) -> float:
    """Return the CPU time of all threads of a process; `before` once it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return before


def held_bytes(pid: int) -> int:
    """Return the memory that a process alone holds, in RAM or swapped out; 0 once it has ended.

    With it counts what the kernel holds for its page tables and, about, for its threads; reserved address
    space does not.
    """
    held = 0
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(_HELD):
                    held += int(line.split()[1]) << 10
                elif line.startswith(b"Threads:"):
                    return held + int(line.split()[1]) * _THREAD_BYTES
    except OSError:
        return 0
    return held


class QueueCredit:
    """Time that a program, or the tests that wait for it, was ready to run and had no core.

    Of several threads of a process the one that waited longest counts: what waits behind threads of its own
    process waits for the program and not for the machine. Fifty threads that sleep and wake together would
    otherwise gather more than the time that passes.

    Attributes:
        seconds: The credit so far; never more than the time waited.
    """

    def __init__(self, pid: int) -> None:
        """Watch process `pid`, from its start, and this process, from the first look."""
        self.seconds = 0.0
        self._pid = pid
        self._waiting = 0.0
        self._queued: dict[str, int] = {}
        self._own_queued: dict[str, int] | None = None

    def look(self, waiting: float) -> None:
        """Add what came since the last look; `waiting` is how long the tests have waited in all, seconds."""
        queued, own = _queues(self._pid), _queues(os.getpid())
        own_before = own if self._own_queued is None else self._own_queued
        waited = _longest(queued, self._queued) + _longest(own, own_before)
        self.seconds += min(waited, waiting - self._waiting)
        self._waiting, self._queued, self._own_queued = waiting, queued, own


def _queues(pid: int) -> dict[str, int]:
    """Nanoseconds that each thread was ready and had no core; none where not to be had."""
    found = {}
    try:
        # of very many the first will do, and the main one comes before all
        for thread in os.listdir(f"/proc/{pid}/task")[:_THREADS_LOOKED_AT]:
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                found[thread] = int(file.read().split()[1])
    except (OSError, IndexError):
        # one has ended meanwhile
        return found
    return found


def _longest(queued: dict[str, int], before: dict[str, int]) -> float:
    """Return the most seconds that one thread has waited since `before`."""
    return max((time - before.get(thread, 0) for thread, time in queued.items()), default=0) / 1e9
