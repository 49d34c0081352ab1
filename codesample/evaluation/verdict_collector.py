"""Hands programs to the judge and keeps each verdict as soon as it is known."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from time import monotonic

from codesample.evaluation.observer import Tally
from codesample.execution.judge import Judge, Program
from codesample.records import Verdict
from codesample.runs import RunFolder

__all__ = ["VerdictCollector"]

_LOOK_SECONDS = 0.1


class VerdictCollector:
    """The execution side of a run: programs go in while sampling goes on, verdicts reach the run folder.

    One thread, the caller's, writes the folder; the judge's threads only queue what is done. At most as many
    programs as the judge likes to hold are open at once: sampling waits for it rather than fill the memory.

    Args:
        judge: Open.
        run: Where verdicts are appended.
        tally: Told of each verdict.

    Attributes:
        seconds: Wall time from the first program handed over to the last verdict kept.
    """

    def __init__(self, judge: Judge, *, run: RunFolder, tally: Tally) -> None:
        self._judge, self._run, self._tally = judge, run, tally
        self._done: SimpleQueue[Future[Verdict]] = SimpleQueue()
        self._open: set[Future[Verdict]] = set()
        self._began: float | None = None
        self.seconds = 0.0

    def submit(self, program: Program) -> None:
        """Queue a program, once the judge holds fewer than it likes to; raises as `collect`."""
        if self._began is None:
            self._began = monotonic()
        while len(self._open) >= max(1, self._judge.in_flight):
            self._keep(self._next())
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
            self._keep(self._next())
            after_each()

    def abandon(self) -> None:
        """Keep what is known and cancel the rest."""
        for future in self._open:
            future.cancel()
        while not self._done.empty():
            future = self._done.get()
            if not future.cancelled() and future.exception() is None:
                self._keep(future)

    def _next(self) -> Future[Verdict]:
        """Wait for the next that is done, not for long at a time: Ctrl-C may have come just before."""
        while True:
            try:
                return self._done.get(timeout=_LOOK_SECONDS)
            except Empty:
                continue

    def _keep(self, future: Future[Verdict]) -> None:
        verdict = future.result()
        self._open.discard(future)
        self._run.add_verdict(verdict)
        self._tally.add([verdict])
        if self._began is not None:
            self.seconds = monotonic() - self._began
