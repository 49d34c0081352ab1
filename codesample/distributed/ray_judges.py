"""The judge over judging actors: programs go to nodes in batches, and verdicts come back, whatever dies."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from codesample.distributed.backlog import Task, most_at_once
from codesample.distributed.cluster import Cluster, Happened
from codesample.distributed.crew import Crew, Recruits
from codesample.distributed.dispatcher import Dispatcher
from codesample.distributed.judging_actor import BATCH, Calls, JudgeMaker, JudgeOpened, Judging, JudgingActor
from codesample.distributed.known_tests import KnownTests, expect_plain
from codesample.distributed.node_facts import here
from codesample.distributed.placement import Placement, Slot
from codesample.distributed.units import DEATHS
from codesample.errors import ExecutionError
from codesample.execution import Isolation, Outcome, Program
from codesample.execution.caller.awaited import Awaited, Latch
from codesample.execution.caller.tests_facts import facts_of
from codesample.records import Status, Verdict

__all__ = ["RayJudge"]

SETTLE_SECONDS = 60.0
"""How long all nodes are waited for, once one has answered."""


class RayJudge:
    """The nodes of a cluster as one judge. A `Judge`.

    Args:
        cluster: Where.
        maker: Given a place, returns what makes the judge there; see `MadeExecutor`.
        placement: Which nodes have which actors.
        beside_samplers: Whether the run samples on the cluster too.
        happened: Is told what befalls the actors.

    Attributes:
        isolation: Of the node that grants the least, of those that have answered so far.
        workers: How many programs run at once, on all nodes together.
        in_flight: How many unsettled programs keep them busy.

    Raises:
        ExecutionError: no node can judge; says why.
        ParameterError: a module to be imported that no node has.
    """

    def __init__(
        self,
        cluster: Cluster,
        maker: Callable[[Slot], JudgeMaker],
        *,
        placement: Placement,
        happened: Happened,
        beside_samplers: bool = True,
    ) -> None:
        self._here, self._happened = here(), happened
        self._isolations: list[Isolation] = []
        self._numbers, self._known = itertools.count(), KnownTests()
        self._closed, self._lock = False, threading.Lock()
        self._open, self._idle = 0, Latch()

        def place(nodes: Sequence[Any]) -> list[Slot]:
            return placement.judging(nodes, beside_samplers=beside_samplers)

        recruits = Recruits(JudgingActor, "judging actor", maker, place, self._admit, ExecutionError)
        self._crew = Crew(cluster, recruits, happened)
        self._dispatcher = Dispatcher(cluster, self._crew, happened, known=self._known, blame=_blamed)
        try:
            self._crew.settle_in(all_within=SETTLE_SECONDS)
        except BaseException:
            self._crew.close()
            raise
        self._dispatcher.start()

    @property
    def isolation(self) -> Isolation:
        """What programs are kept from on the node that grants the least."""
        return min(self._isolations, key=lambda each: each.level)

    @property
    def workers(self) -> int:
        """How many programs run at once."""
        return sum(each.opened.workers for each in list(self._crew.live)) or 1

    @property
    def in_flight(self) -> int:
        """How many unsettled programs keep the nodes busy, with a batch for each under way."""
        held = (most_at_once(each.opened.workers) + BATCH for each in list(self._crew.live))
        return sum(held) or BATCH

    def submit(self, program: Program) -> Future[Verdict]:
        """Queue a program; see `Judge.submit`."""
        key = self._known.key(program.tests)
        work = Judging(program.task_id, program.index, program.source, key)
        return self._submit(Task(next(self._numbers), work, Awaited(), program.tests))

    def submit_calls(
        self,
        source: str,
        entry_point: str,
        inputs: Sequence[tuple[Any, ...]],
        *,
        cpu_seconds: float | None = None,
    ) -> Future[list[Outcome]]:
        """Queue calls of a program's function; see `Judge.submit_calls`."""
        expect_plain(list(inputs))
        work = Calls(source, entry_point, tuple(inputs), cpu_seconds)
        return self._submit(Task(next(self._numbers), work, Awaited()))

    def close(self) -> None:
        """End all actors; futures still waiting raise ExecutionError. May be called twice."""
        self._closed = True
        self._dispatcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted, unless leaving by an exception, and close."""
        try:
            if kind is None:
                self._idle.wait_for(lambda: self._open == 0)
        finally:
            self.close()

    def _admit(self, slot: Slot, opened: JudgeOpened) -> str:
        if why := opened.facts.estranged(self._here):
            return why
        self._isolations.append(opened.isolation)
        level = opened.isolation.level.label
        self._happened.joined(
            slot.node, opened.facts, "judging", workers=opened.workers, cpus=slot.cpus, isolation=level
        )
        return ""

    def _submit(self, task: Task) -> Future[Any]:
        if self._closed:
            raise ExecutionError("the judge is closed; make a new one")
        with self._lock:
            self._open += 1
        task.future.add_done_callback(self._done)
        self._dispatcher.submit(task)
        return task.future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._open -= 1
        self._idle.call()


def _blamed(task: Task) -> Verdict | list[Outcome]:
    """Return what is said of a job over which two judging actors died."""
    why = f"{DEATHS} judging actors died while they had it"
    if isinstance(task.work, Calls):
        return [Outcome(Status.HARNESS_ERROR, None, why)] * len(task.work.inputs)
    assert task.tests is not None
    integrity = facts_of(task.tests).form
    return Verdict(task.work.task_id, task.work.index, Status.HARNESS_ERROR, detail=why, integrity=integrity)
