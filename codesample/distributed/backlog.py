"""Jobs that wait for a judge, and those that one has: bounded for each node, and what deaths cost.

A node holds at least two batches, so that it never waits for the driver, and as many jobs more as keep all of
its workers busy. A job whose node died is suspected: it is handed out again, at most one such to a node at a
time, and where that node dies too it is to blame, once and for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from codesample.distributed.judging_actor import BATCH, Calls, Judging
from codesample.distributed.units import DEATHS
from codesample.records import Tests

__all__ = ["Backlog", "Task", "most_at_once"]


def most_at_once(workers: int) -> int:
    """Return how many jobs a node holds that runs so many programs at once."""
    return max(2 * BATCH, 2 * workers)


@dataclass(eq=False, slots=True)
class Task:
    """A job until it is settled.

    Attributes:
        number: By which actors and driver know it.
        work: What is to be done.
        future: Whoever handed it in waits for this.
        tests: What judges a program.
        deaths: How many judging actors died over it.
    """

    number: int
    work: Judging | Calls
    future: Future[Any]
    tests: Tests | None = None
    deaths: int = 0


@dataclass(slots=True)
class _Load:
    most: int
    held: dict[int, Task] = field(default_factory=dict)

    @property
    def suspects(self) -> bool:
        return any(task.deaths for task in self.held.values())


class Backlog:
    """Jobs by where they are. Not thread-safe.

    Attributes:
        requeued: How many were handed out again so far.
    """

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._loads: dict[Hashable, _Load] = {}
        self.requeued = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._suspects) + sum(len(each.held) for each in self._loads.values())

    def add(self, task: Task) -> None:
        """Have a job wait."""
        self._waiting.append(task)

    def batch(self, holder: Hashable, *, workers: int) -> list[Task]:
        """Give a holder what it has room for, a batch at most; nothing where it has no need of more yet."""
        load = self._loads.setdefault(holder, _Load(most_at_once(workers)))
        room = load.most - len(load.held)
        given: list[Task] = []
        if room > 0 and self._suspects and not load.suspects:
            self._pick(self._suspects, given, 1)
        # a batch of one for each verdict that comes would cost the driver a call for each
        if room >= BATCH or len(load.held) < workers:
            self._pick(self._waiting, given, min(room, BATCH))
        load.held.update((task.number, task) for task in given)
        return given

    def settled(self, holder: Hashable, number: int) -> Task | None:
        """Take back a job that a holder has done; None where it does not hold it."""
        load = self._loads.get(holder)
        return load.held.pop(number, None) if load else None

    def died(self, holder: Hashable) -> list[Task]:
        """Take back all that a holder had; those that are to blame are returned, the others wait again."""
        load = self._loads.pop(holder, None)
        blamed = []
        for task in load.held.values() if load else ():
            task.deaths += 1
            if task.deaths >= DEATHS:
                blamed.append(task)
            else:
                self.requeued += 1
                self._suspects.append(task)
        return blamed

    def clear(self) -> list[Task]:
        """Take back everything."""
        held = [task for each in self._loads.values() for task in each.held.values()]
        every = [*self._waiting, *self._suspects, *held]
        self._waiting.clear()
        self._suspects.clear()
        self._loads.clear()
        return every

    def _pick(self, queue: deque[Task], given: list[Task], most: int) -> None:
        while queue and len(given) < most:
            task = queue.popleft()
            if not task.future.cancelled():
                given.append(task)
