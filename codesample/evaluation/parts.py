"""Figures for named parts of the tests, such as base and plus inputs, out of one verdict per program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codesample.evaluation.observer import WEAK
from codesample.evaluation.scoring import Pool
from codesample.records import Verdict

__all__ = ["Counts", "counts_by_part", "holds"]

Counts = Mapping[str, tuple[int, int]]
"""By task id: candidates with a grade, and how many of them are right."""


def holds(verdict: Verdict, checks: int) -> bool | None:
    """Tell whether a program holds the first `checks` of its checks; None where the verdict does not say."""
    if verdict.passed:
        return True
    if len(verdict.checks) < checks:
        return None
    return all(verdict.checks[:checks])


def counts_by_part(graded: Sequence[Pool]) -> tuple[dict[str, Counts], list[str]]:
    """Count, for each part of the tests but the last, the programs that hold it and the parts before it.

    The last part holds exactly where the tests do. Figures are over the same problems as all others, so a
    part that some problems lack has none, and neither has one that a verdict without results leaves open.

    Args:
        graded: Problems with at least one graded candidate.

    Returns: the counts by the part's name, and a sentence for each part that is left out.
    """
    ends = {pool.problem.task_id: pool.problem.tests.part_ends for pool in graded}
    counts: dict[str, Counts] = {}
    said = []
    for name in dict.fromkeys(name for of_problem in ends.values() for name in list(of_problem)[:-1]):
        lacking = sum(name not in of_problem for of_problem in ends.values())
        if lacking:
            said.append(
                f"{name} has no figure of its own: {lacking} of {len(ends)} problems have no such part"
            )
            continue
        found = {pool.problem.task_id: _count(pool, ends[pool.problem.task_id][name]) for pool in graded}
        unclear = [task_id for task_id, count in found.items() if count is None]
        if unclear:
            said.append(
                f"{name} has no figure of its own: verdicts on {unclear[0]} do not say which checks held"
            )
            continue
        counts[name] = {task_id: count for task_id, count in found.items() if count is not None}
    return counts, said


def _count(pool: Pool, checks: int) -> tuple[int, int] | None:
    """Return how many candidates have a grade for that many checks, and how many hold them."""
    graded = right = 0
    for at in pool.graded:
        verdict = pool.verdicts[at]
        held = holds(verdict, checks)
        if held is None:
            return None
        # as for whole verdicts: what holds could have been faked, what fails could not
        if held and pool.strict and verdict.integrity == WEAK:
            continue
        graded += 1
        right += held
    return graded, right
