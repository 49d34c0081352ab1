"""Figures for named parts of the tests, such as base and plus inputs, out of one verdict per program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codesample.evaluation.observer import WEAK
from codesample.evaluation.scoring import Pool
from codesample.records import Verdict

__all__ = ["Counts", "Graded", "counts_by_part", "graded_by_part", "holds"]

Counts = Mapping[str, tuple[int, int]]
"""By task id: candidates with a grade, and how many of them are right."""


class Graded(NamedTuple):
    """Which candidates of a pool have a grade, by their positions, and whether each of them is right."""

    at: list[int]
    right: list[bool]


def holds(verdict: Verdict, checks: int) -> bool | None:
    """Tell whether a program holds the first `checks` of its checks; None where the verdict does not say."""
    if verdict.passed:
        return True
    if len(verdict.checks) < checks:
        return None
    return all(verdict.checks[:checks])


def counts_by_part(graded: Sequence[Pool]) -> tuple[dict[str, Counts], list[str]]:
    """Count, for each part of the tests but the last, the programs that hold it and the parts before it.

    Returns: as `graded_by_part`, with the counts instead.
    """
    found, said = graded_by_part(graded)
    return {
        name: {task_id: (len(each.at), sum(each.right)) for task_id, each in by_problem.items()}
        for name, by_problem in found.items()
    }, said


def graded_by_part(graded: Sequence[Pool]) -> tuple[dict[str, dict[str, Graded]], list[str]]:
    """Tell, for each part of the tests but the last, which programs hold it and the parts before it.

    The last part holds exactly where the tests do. Figures are over the same problems as all others, so a
    part that some problems lack has none, and neither has one that a verdict without results leaves open.

    Args:
        graded: Problems with at least one graded candidate.

    Returns: the grades by the part's name and task id, and a sentence for each part that is left out.
    """
    ends = {pool.problem.task_id: pool.problem.tests.part_ends for pool in graded}
    grades: dict[str, dict[str, Graded]] = {}
    said = []
    for name in dict.fromkeys(name for of_problem in ends.values() for name in list(of_problem)[:-1]):
        lacking = sum(name not in of_problem for of_problem in ends.values())
        if lacking:
            said.append(
                f"{name} has no figure of its own: {lacking} of {len(ends)} problems have no such part"
            )
            continue
        found = {pool.problem.task_id: _grades(pool, ends[pool.problem.task_id][name]) for pool in graded}
        unclear = [task_id for task_id, each in found.items() if each is None]
        if unclear:
            said.append(
                f"{name} has no figure of its own: verdicts on {unclear[0]} do not say which checks held"
            )
            continue
        grades[name] = {task_id: each for task_id, each in found.items() if each is not None}
    return grades, said


def _grades(pool: Pool, checks: int) -> Graded | None:
    """Return which candidates have a grade for that many checks, and which hold them."""
    found = Graded([], [])
    for at in pool.graded:
        verdict = pool.verdicts[at]
        held = holds(verdict, checks)
        if held is None:
            return None
        # as for whole verdicts: what holds could have been faked, what fails could not
        if held and pool.strict and verdict.integrity == WEAK:
            continue
        found.at.append(at)
        found.right.append(held)
    return found
