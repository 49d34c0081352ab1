"""Brings a run folder up to date: samples what is missing and judges it while sampling goes on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from time import monotonic
from typing import Any

from codesample.engines.contract import Engine
from codesample.engines.delivery import delivered
from codesample.evaluation.observer import Observer, Snapshot, Tally
from codesample.evaluation.plan import EvaluationPlan
from codesample.evaluation.policy_facts import policy_facts
from codesample.evaluation.verdict_collector import VerdictCollector
from codesample.execution.judge import Judge, Program
from codesample.records import Candidate
from codesample.runs import RunFolder

__all__ = ["Spent", "sample_and_judge"]

_SHOW_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Spent:
    """What this process spent: wall seconds of each stage (they overlap), tokens drawn, `policy_facts`."""

    sampling: float
    execution: float
    tokens: int
    policy: Mapping[str, Any]


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


def sample_and_judge(
    plan: EvaluationPlan, run: RunFolder, *, engine: Engine, judge: Judge, observer: Observer
) -> Spent:
    """Sample and judge every candidate of the plan that the run folder lacks.

    Whatever ends it early, also Ctrl-C, leaves every finished candidate and verdict in the folder.

    Args:
        run: Open for writing.

    Raises:
        CodesampleError: whatever the engine, the judge or the folder refuses.
    """
    chosen, wanted = plan.chosen, plan.wanted
    expected = dict.fromkeys((problem.task_id for problem in chosen.problems), 0)
    for task_id, _ in wanted:
        expected[task_id] += 1
    tally, judged, sampled = Tally(expected, strict=plan.strict), run.judged, run.sampled
    tally.add(verdict for key, verdict in run.verdicts().items() if key in judged and key in wanted)
    unjudged = (sampled & wanted) - judged
    tests = {problem.task_id: problem.tests for problem in chosen.problems}
    collector = VerdictCollector(judge, run=run, tally=tally)
    meter = _Meter(observer, tally)
    observer.started(run.path, problems=len(chosen.problems), candidates=len(wanted))

    def hand_over(candidate: Candidate, source: str) -> None:
        collector.submit(Program(candidate.task_id, candidate.index, source, tests[candidate.task_id]))

    try:
        left = (each for each in run.samples() if (each.task_id, each.index) in unjudged)
        for candidate, source in chosen.assembled(left if unjudged else ()):
            hand_over(candidate, source)
        requests = chosen.requests_for([key for key in wanted if key not in sampled])
        with closing(delivered(engine, requests, plan.manifest.params, progress=meter.drew)) as stream:
            for candidate, source in chosen.assembled(stream):
                run.add_sample(candidate, with_program=candidate.program is not None)
                hand_over(candidate, source)
                collector.collect()
                meter.show()
        meter.stop_sampling()
        collector.finish(after_each=meter.show)
        meter.show(at_once=True)
    finally:
        collector.abandon()
    return Spent(meter.seconds, collector.seconds, meter.tokens, policy_facts(engine))
