"""Brings a run folder up to date: samples what is missing and judges it while sampling goes on."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from codesample.evaluation.observer import Observer, Snapshot, Tally
from codesample.evaluation.plan import Chosen, requests_for
from codesample.evaluation.verdict_collector import Judging
from codesample.execution import Executor
from codesample.records import SamplingParams
from codesample.runs import Key, RunFolder

if TYPE_CHECKING:
    from codesample.engines.contract import Engine

__all__ = ["Spent", "fill"]

_SHOW_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Spent:
    """What this process spent: wall seconds of each stage (they overlap), and tokens it drew."""

    sampling: float
    execution: float
    tokens: int


class _Meter:
    """Counts tokens and time, and passes on how far the run is."""

    def __init__(self, observer: Observer, tally: Tally) -> None:
        self._observer, self._tally = observer, tally
        self._began = self._shown = monotonic()
        self._stopped: float | None = None
        self.tokens = 0

    @property
    def seconds(self) -> float:
        return (self._stopped or monotonic()) - self._began

    def stop_sampling(self) -> None:
        self._stopped = monotonic()

    def drew(self, tokens: int) -> None:
        self.tokens += tokens
        self.show()

    def show(self, *, at_once: bool = False) -> None:
        if not at_once and monotonic() - self._shown < _SHOW_INTERVAL:
            return
        self._shown = monotonic()
        tally = self._tally
        self._observer.progress(
            Snapshot(tally.problems_done, tally.candidates_done, self.tokens, self.seconds, tally.pass_at_1())
        )


def fill(
    run: RunFolder,
    chosen: Chosen,
    wanted: Collection[Key],
    *,
    engine: Engine,
    params: SamplingParams,
    executor: Executor,
    observer: Observer,
) -> Spent:
    """Sample and judge every candidate of `wanted` that the run folder lacks.

    Whatever ends it early, also Ctrl-C, leaves every finished candidate and verdict in the folder.

    Args:
        run: Open for writing.
        chosen: The task and its problems.
        wanted: Keys of candidates, all of them of the chosen problems.

    Raises:
        CodesampleError: whatever the engine, the executor or the folder refuses.
    """
    expected = dict.fromkeys((problem.task_id for problem in chosen.problems), 0)
    for task_id, _ in wanted:
        expected[task_id] += 1
    tally, judged, sampled = Tally(expected), run.judged, run.sampled
    tally.add(verdict for key, verdict in run.verdicts().items() if key in judged and key in wanted)
    unjudged = (sampled & set(wanted)) - judged
    judging = Judging(chosen.task, chosen.by_id, executor=executor, run=run, tally=tally)
    meter = _Meter(observer, tally)
    observer.started(run.path, problems=len(chosen.problems), candidates=len(wanted))
    try:
        for candidate in run.samples() if unjudged else ():
            if (candidate.task_id, candidate.index) in unjudged:
                judging.submit(candidate)
        requests = requests_for(chosen.problems, [key for key in wanted if key not in sampled])
        with ExitStack() as stack:
            stream = engine.stream(requests, params, progress=meter.drew)
            if hasattr(stream, "close"):
                stack.callback(stream.close)
            for candidate in stream:
                run.add_sample(candidate, with_program=candidate.program is not None)
                judging.submit(candidate)
                judging.collect()
                meter.show()
        meter.stop_sampling()
        judging.finish(after_each=meter.show)
        meter.show(at_once=True)
    finally:
        judging.abandon()
    return Spent(sampling=meter.seconds, execution=judging.seconds, tokens=meter.tokens)
