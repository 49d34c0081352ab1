"""Hands programs to the judge and keeps each verdict as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import monotonic

from codesample.evaluation.observer import Tally
from codesample.execution.judge import Judge, Program
from codesample.records import Candidate, Problem, Verdict
from codesample.runs import RunFolder
from codesample.tasks.contract import Task

__all__ = ["VerdictCollector"]


class VerdictCollector:
    """The execution side of a run: programs go in while sampling goes on, verdicts reach the run folder.

    One thread, the caller's, writes the folder; the judge's threads only queue what is done. At most as many
    programs as the judge likes to hold are open at once: sampling waits for it rather than fill the memory.

    Args:
        task: Says how a completion becomes a program.
        problems: By task id.
        judge: Open.
        run: Where verdicts are appended.
        tally: Told of each verdict.

    Attributes:
        seconds: Wall time from the first program handed over to the last verdict kept.
    """

    def __init__(
        self, task: Task, problems: Mapping[str, Problem], *, judge: Judge, run: RunFolder, tally: Tally
    ) -> None:
        self._task, self._problems = task, problems
        self._judge, self._run, self._tally = judge, run, tally
        self._done: SimpleQueue[Future[Verdict]] = SimpleQueue()
        self._open: set[Future[Verdict]] = set()
        self._began: float | None = None
        self.seconds = 0.0

    def submit(self, candidate: Candidate) -> None:
        """Queue the candidate's program, once the judge holds fewer than it likes to; raises as `collect`."""
        problem = self._problems[candidate.task_id]
        source = candidate.program
        if source is None:
            source = self._task.program(problem, candidate.completion)
        if self._began is None:
            self._began = monotonic()
        while len(self._open) >= self._judge.in_flight:
            self._keep(self._done.get())
        program = Program(candidate.task_id, candidate.index, source, problem.tests)
        future = self._judge.submit(program)
        self._open.add(future)
        future.add_done_callback(self._done.put)

    def collect(self) -> None:
        """Keep the verdicts that are known by now; does not wait.

        Raises:
            ExecutionError: the judge itself failed.
        """
        while True:
            try:
                self._keep(self._done.get_nowait())
            except Empty:
                return

    def finish(self, after_each: Callable[[], None]) -> None:
        """Wait for every verdict still open, keeping each and calling `after_each`; raises as `collect`."""
        while self._open:
            self._keep(self._done.get())
            after_each()

    def abandon(self) -> None:
        """Keep what is known and cancel the rest."""
        for future in self._open:
            future.cancel()
        while not self._done.empty():
            future = self._done.get()
            if not future.cancelled() and future.exception() is None:
                self._keep(future)

    def _keep(self, future: Future[Verdict]) -> None:
        verdict = future.result()
        self._open.discard(future)
        self._run.add_verdict(verdict)
        self._tally.add([verdict])
        if self._began is not None:
            self.seconds = monotonic() - self._began
