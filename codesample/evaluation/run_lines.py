"""A run problem by problem: what came of each one's candidates, and what every reranker would have chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.evaluation.picks import Pick, pick_of
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.run_order import Only, Order
from codesample.records import Status

__all__ = ["ProblemLine", "choose_lines", "problem_lines"]


@dataclass(frozen=True, slots=True)
class ProblemLine:
    """One problem of a run.

    Attributes:
        task_id: Which.
        candidates: How many have a verdict.
        graded: How many of them have one that says something of the program.
        passed: How many of these passed.
        statuses: Verdicts by status, in the order of `Status`.
        picks: By reranker, what it puts first; None where nothing is graded.
    """

    task_id: str
    candidates: int
    graded: int
    passed: int
    statuses: Mapping[Status, int]
    picks: Mapping[str, Pick | None]

    def lost(self, reranker: str) -> float:
        """How likely a choice by the reranker fails although a program passes; 0 where none does."""
        pick = self.picks[reranker]
        return 0.0 if pick is None or not self.passed else 1.0 - pick.share

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        picks = {
            name: None if pick is None else {"indices": list(pick.indices), "passed": pick.passed}
            for name, pick in self.picks.items()
        }
        counted = {"candidates": self.candidates, "graded": self.graded, "passed": self.passed}
        statuses = {str(status): count for status, count in self.statuses.items()}
        return {"task_id": self.task_id, **counted, "statuses": statuses, "picks": picks}


def problem_lines(contents: RunContents) -> list[ProblemLine]:
    """Return a line for each problem that has a verdict, in the task's order."""
    lines = []
    for pool in contents.pools:
        name = pool.problem.task_id
        counts = Counter(each.status for each in pool.verdicts)
        lines.append(
            ProblemLine(
                task_id=name,
                candidates=len(pool.candidates),
                graded=len(pool.graded),
                passed=sum(pool.passed),
                statuses={status: counts[status] for status in Status if counts[status]},
                picks={each: pick_of(pool, column[name]) for each, column in contents.scores.items()},
            )
        )
    return lines


def choose_lines(
    lines: Sequence[ProblemLine],
    *,
    order: Order = Order.TASK,
    only: Only | None = None,
    lost_by: Collection[str] = (),
    statuses: Collection[Status] = (),
) -> list[ProblemLine]:
    """Return the lines that are meant, in the order that is meant; equal ones stay in the task's.

    Args:
        order, only: See there.
        lost_by: Rerankers that each choose, or may choose, a program that fails where another one passes.
        statuses: At least one candidate has one of these verdicts.
    """
    kept = [
        line
        for line in lines
        if (only is None or _is(line, only))
        and all(line.lost(name) > 0 for name in lost_by)
        and (not statuses or any(status in line.statuses for status in statuses))
    ]
    if order is Order.PASSED:
        kept.sort(key=_share)
    elif order is Order.LOST:
        kept.sort(key=lambda line: (-sum(line.lost(name) for name in lost_by or line.picks), -_share(line)))
    return kept


def _share(line: ProblemLine) -> float:
    return line.passed / line.graded if line.graded else 0.0


def _is(line: ProblemLine, only: Only) -> bool:
    if only is Only.NONE_PASS:
        return not line.passed
    if only is Only.ALL_PASS:
        return 0 < line.graded == line.passed
    return 0 < line.passed < line.graded
