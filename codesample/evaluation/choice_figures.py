"""What choosing gives: figures of every reranker beside those of a random choice and of an oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

from codesample.evaluation.choice import Selection, VarianceSplit
from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.kept_curves import curve_columns, curve_sizes, kept_curve
from codesample.evaluation.metrics import best_of_n, pass_at_k, sampling_variance
from codesample.evaluation.paired import paired
from codesample.evaluation.parts import Graded, graded_by_part
from codesample.evaluation.scoring import Pool, Scores
from codesample.evaluation.shortfall import why_below_random
from codesample.rerankers.made_once import Cost
from codesample.runs import RunFolder

__all__ = ["Bounds", "bounds", "selections", "variance_split"]

_UNLIKELY = 0.05
"""The p-value from which on a reranker is not told to be below random."""

_NOTHING = Estimate(0.0, 0.0, 0.0)
_Columns = dict[int, list[float]]


class Bounds(NamedTuple):
    """What lies around every choice: chance below, the hidden tests above."""

    random: Estimate
    oracle: Estimate
    oracle_curve: dict[int, Estimate]


def bounds(graded: Sequence[Pool]) -> Bounds:
    """Return what choosing at random gives, and what choosing by the hidden tests would, by size.

    Args:
        graded: Pools with a graded candidate; one with fewer candidates than a size counts with all it has.
    """
    counts = [(len(pool.passed), sum(pool.passed)) for pool in graded]
    sizes = curve_sizes(graded)
    columns = [[pass_at_k(n, c, min(size, n)) for n, c in counts] for size in sizes]
    figures = Draws(len(graded)).shares(columns)
    return Bounds(figures[0], figures[-1], dict(zip(sizes, figures, strict=True)))


def variance_split(graded: Sequence[Pool]) -> VarianceSplit | None:
    """Tell chance of the draw of candidates from chance of the choice of problems, in pass@1.

    The variance over problems holds both; that of the draw, estimated within each problem without bias, is
    taken off, down to 0.

    Returns: None where a problem has a single graded candidate, or where there is a single problem.
    """
    counts = [(len(pool.passed), sum(pool.passed)) for pool in graded]
    drawn = [sampling_variance(n, c, 1) for n, c in counts]
    known = [each for each in drawn if each is not None]
    size = len(counts)
    if len(known) < size or size < 2:
        return None
    shares = [c / n for n, c in counts]
    middle = fmean(shares)
    both = sum((each - middle) ** 2 for each in shares) / (size - 1) / size
    sampling = sum(known) / size**2
    return VarianceSplit(min(sampling, both) ** 0.5, max(0.0, both - sampling) ** 0.5)


def selections(
    run: RunFolder,
    graded: Sequence[Pool],
    scores: Mapping[str, Scores],
    *,
    costs: Mapping[str, Cost] | None = None,
) -> dict[str, Selection]:
    """Return what choosing by each reranker gives.

    Args:
        run: Holds the curves that scoring made.
        graded: Pools with a graded candidate.
        scores: By reranker, of all of them.
        costs: By reranker, as far as that is known.
    """
    draws = Draws(len(graded))
    chance = [sum(pool.passed) / len(pool.passed) for pool in graded]
    gap = [float(any(pool.passed)) - each for pool, each in zip(graded, chance, strict=True)]
    best = {name: [_best(pool, column) for pool in graded] for name, column in scores.items()}
    lifts = [[ours - each for ours, each in zip(row, chance, strict=True)] for row in best.values()]
    gaps = dict(zip(scores, draws.ratios(lifts, gap), strict=True))
    over = dict(zip(scores, paired([(row, chance) for row in best.values()], draws), strict=True))
    figures = dict(zip(scores, draws.shares(list(best.values())), strict=True))
    curves = _curves(run, graded, scores, draws)
    parts = _by_part(graded, scores, draws)
    found = {}
    for name, column in scores.items():
        # the one may be sure of what the other takes for chance
        below = over[name].difference.high < 0 and over[name].p <= _UNLIKELY
        closed, above = gaps[name], over[name]
        if all(_level(pool, column) for pool in graded):
            # chance itself: nothing that was drawn could have shown anything else
            closed, above = (None if closed is None else _NOTHING), replace(above, difference=_NOTHING)
        found[name] = Selection(
            best_of_n=figures[name],
            gap_closed=closed,
            over_random=above,
            abstained=fmean(not _told(pool, column) for pool in graded),
            undecided=fmean(len(pool.graded) > 1 and _level(pool, column) for pool in graded),
            below_random=why_below_random(graded, column) if below else "",
            curve=curves[name][0],
            curve_note=curves[name][1],
            parts=parts.get(name, {}),
            cost=(costs or {}).get(name),
        )
    return found


def _curves(
    run: RunFolder, graded: Sequence[Pool], scores: Mapping[str, Scores], draws: Draws
) -> dict[str, tuple[dict[int, Estimate], str]]:
    """Return best-of-n by reranker and n, with the curve's note."""
    made: dict[str, tuple[_Columns, str]] = {
        name: curve_columns(name, graded, column, kept_curve(run, name, graded, column))
        for name, column in scores.items()
    }
    flat = iter(draws.shares([row for columns, _ in made.values() for row in columns.values()]))
    return {name: ({size: next(flat) for size in columns}, note) for name, (columns, note) in made.items()}


def _by_part(
    graded: Sequence[Pool], scores: Mapping[str, Scores], draws: Draws
) -> dict[str, dict[str, Estimate]]:
    """Return best-of-n by reranker and part of the tests, the last part apart."""
    by_part, _ = graded_by_part(graded)
    whole = {name: grades for name, grades in by_part.items() if all(each.at for each in grades.values())}
    rows = [
        [_best_by(grades[pool.problem.task_id], column[pool.problem.task_id]) for pool in graded]
        for column in scores.values()
        for grades in whole.values()
    ]
    flat = iter(draws.shares(rows))
    return {name: {part: next(flat) for part in whole} for name in scores}


def _best(pool: Pool, column: Scores) -> float:
    return best_of_n(_scores(pool, column), pool.passed)


def _best_by(grades: Graded, scores: Sequence[float | None]) -> float:
    return best_of_n([scores[at] for at in grades.at], grades.right)


def _told(pool: Pool, column: Scores) -> bool:
    return any(score is not None for score in _scores(pool, column))


def _level(pool: Pool, column: Scores) -> bool:
    return len(set(_scores(pool, column))) == 1


def _scores(pool: Pool, column: Scores) -> list[float | None]:
    row = column[pool.problem.task_id]
    return [row[at] for at in pool.graded]
