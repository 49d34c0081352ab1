"""Whether a run judges rightly here: references tried before it begins, and what befell the judge in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from codesample.errors import ExecutionError
from codesample.evaluation.problem_set import ProblemSet
from codesample.execution.judge import Judge, Program
from codesample.execution.program_runner import settled
from codesample.records import Problem, Status, Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["RunHealth", "check_references", "sample_of_references"]

TRIED = 4
"""How many problems' references are tried before a run."""

_TIME_OUTS = (Status.CPU_TIMEOUT, Status.WALL_TIMEOUT)


@validated
@dataclass(frozen=True, slots=True)
class RunHealth:
    """What speaks for or against a run's verdicts.

    Attributes:
        references_tried: How many references were run before sampling began; 0 where there are none, or
            where nobody asked.
        references_passed: How many of them passed.
        references_failed: The others, each with what came of it.
        timeouts: Verdicts that hit a limit of time.
        retried: Programs that hit one at first, while the machine was busy, and were run once more, alone.
        harness_errors: Candidates that the harness failed to judge.
        load: Processes that wanted a core, a minute's average, the higher one of begin and end; None where
            the system does not say.
        processors: Of the machine that judged.
    """

    references_tried: int = 0
    references_passed: int = 0
    references_failed: tuple[str, ...] = ()
    timeouts: int = 0
    retried: int = 0
    harness_errors: int = 0
    load: float | None = None
    processors: int = 0

    __repr__ = one_line

    def with_verdicts(self, verdicts: Iterable[Verdict]) -> RunHealth:
        """Return it with what befell these programs."""
        seen = list(verdicts)
        return replace(
            self,
            timeouts=sum(each.status in _TIME_OUTS for each in seen),
            retried=sum(each.first_try is not None for each in seen),
            harness_errors=sum(each.status is Status.HARNESS_ERROR for each in seen),
        )

    def ended(self) -> RunHealth:
        """Return it with the load of now, where that is the higher one."""
        load = max((each for each in (self.load, _load()) if each is not None), default=None)
        return replace(self, load=load, processors=self.processors or os.cpu_count() or 0)

    @property
    def notices(self) -> list[str]:
        """What the user should know before anything else: references that do not pass."""
        if not self.references_failed:
            return []
        return [
            f"{len(self.references_failed)} of {self.references_tried} reference solutions tried FAIL here, "
            f"so right programs may be judged wrong: {'; '.join(self.references_failed)} "
            "(all of them: codesample tasks verify)"
        ]

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunHealth:
        """Rebuild it from `dataclasses.asdict`; raises TypeError for what is none."""
        return cls(**{**content, "references_failed": tuple(content.get("references_failed", ()))})


def sample_of_references(problems: Sequence[Problem], count: int = TRIED) -> list[Problem]:
    """Return at most `count` problems that have a reference, spread evenly, first and last among them."""
    able = [problem for problem in problems if problem.reference is not None]
    if len(able) <= count:
        return able
    return [able[round(at * (len(able) - 1) / (count - 1))] for at in range(count)]


def check_references(chosen: ProblemSet, judge: Judge) -> RunHealth:
    """Run the references of a few problems against their hidden tests, as a run's programs will be.

    All shards of a run try the same ones: those that one process would try.

    Args:
        judge: Open; the run's own.

    Raises:
        ExecutionError: none of them passes, so that no verdict would mean anything; or the judge failed.
    """
    programs = [
        Program(problem.task_id, 0, chosen.task.program(problem, problem.reference or ""), problem.tests)
        for problem in sample_of_references(chosen.of_all_shards or chosen.problems)
    ]
    verdicts = list(settled(judge, (partial(judge.submit, program) for program in programs)))
    failed = tuple(_told(verdict) for verdict in verdicts if not verdict.passed)
    if failed and len(failed) == len(verdicts):
        many = f"none of {len(verdicts)} reference solutions tried" if len(verdicts) > 1 else "no reference"
        raise ExecutionError(
            f"{chosen.task.name}: {many} passes here, so no verdict would mean anything: {failed[0]}; "
            "find out why by `codesample tasks verify`, or start all the same with --skip-health-check"
        )
    passed = len(verdicts) - len(failed)
    return RunHealth(len(verdicts), passed, failed, load=_load(), processors=os.cpu_count() or 0)


def _told(verdict: Verdict) -> str:
    why = verdict.detail.strip().splitlines()[-1:]
    return ": ".join([verdict.task_id, str(verdict.status), *why])


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 1)
    except OSError:
        return None
