"""Judges programs on a node: a judge of that machine, and verdicts until they are fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from codesample.distributed.mailbox import Failure, Mailbox
from codesample.distributed.node_facts import NodeFacts, here
from codesample.errors import ParameterError
from codesample.execution import Executor, Isolation, Judge, Level, Limits, Program
from codesample.execution.caller.granted_modules import missing_modules
from codesample.records import Tests

__all__ = ["BATCH", "Calls", "Job", "JudgeMaker", "JudgeOpened", "Judging", "JudgingActor", "MadeExecutor"]

BATCH = 8
"""Jobs that travel together."""

JudgeMaker = Callable[[], Judge]
"""Makes the judge on the node."""


@dataclass(frozen=True, slots=True)
class MadeExecutor:
    """Makes an executor wherever it is called; the arguments are those of `Executor`.

    Attributes:
        modules: That tests of the run name: where one is missing, right programs would be judged wrong.
    """

    workers: int
    limits: Limits
    minimum: Level
    modules: tuple[str, ...] = ()

    def __call__(self) -> Judge:
        """Make it; raises IsolationError, and ParameterError for modules that are not there."""
        if missing := missing_modules((*self.limits.imports, *self.modules)):
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ParameterError(f"programs need {', '.join(missing[:5])}{more}, not installed there")
        return Executor(workers=self.workers, limits=self.limits, minimum=self.minimum)


@dataclass(frozen=True, slots=True)
class JudgeOpened:
    """What a judge is, on the node where it was made."""

    isolation: Isolation
    workers: int
    facts: NodeFacts


@dataclass(frozen=True, slots=True)
class Judging:
    """A program to be judged, by tests that the actor was given under a key."""

    task_id: str
    index: int
    source: str
    tests: str


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a program's function; see `Judge.submit_calls`."""

    source: str
    entry_point: str
    inputs: tuple[tuple[Any, ...], ...]
    cpu_seconds: float | None


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, and the number under which its result is fetched."""

    number: int
    work: Judging | Calls


class JudgingActor:
    """Holds a judge. One thread calls all of it, but for `take`, which another one calls meanwhile."""

    ASIDE = ("take",)

    def __init__(self) -> None:
        self._judge: Judge | None = None
        self._tests: dict[str, Tests] = {}
        self._box = Mailbox()

    def look(self) -> NodeFacts:
        """Say what the node is."""
        return here()

    def open(self, maker: JudgeMaker) -> JudgeOpened | Failure:
        """Make the judge."""
        try:
            self._judge = maker()
            return JudgeOpened(self._judge.isolation, self._judge.workers, here())
        except Exception as error:
            return Failure.of(error)

    def give(self, jobs: Sequence[Job], tests: Mapping[str, Tests], forget: Sequence[str]) -> None:
        """Begin with some jobs; first learn tests that they need, and forget others."""
        for key in forget:
            self._tests.pop(key, None)
        self._tests.update(tests)
        for job in jobs:
            try:
                future = self._submitted(job.work)
            except Exception as error:
                self._box.put((job.number, Failure.of(error)))
            else:
                future.add_done_callback(partial(self._settled, job.number))

    def take(self, seconds: float, linger: float) -> list[tuple[int, Any]]:
        """Return results by number; waits up to `seconds` for the first, and `linger` for others."""
        workers = self._judge.workers if self._judge else 0
        # of what a node holds, less than keeps its workers busy while the driver is asked for more
        return self._box.take(seconds=seconds, linger=linger, enough=max(BATCH, workers // 2))

    def _submitted(self, work: Judging | Calls) -> Future[Any]:
        assert self._judge is not None
        if isinstance(work, Calls):
            return self._judge.submit_calls(
                work.source, work.entry_point, work.inputs, cpu_seconds=work.cpu_seconds
            )
        return self._judge.submit(Program(work.task_id, work.index, work.source, self._tests[work.tests]))

    def _settled(self, number: int, future: Future[Any]) -> None:
        error = future.exception()
        self._box.put((number, future.result() if error is None else Failure.of(error)))  # type: ignore[arg-type]
