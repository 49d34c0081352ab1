"""Curves over n and figures of scores, made from a saved run, for whatever shows them.

All take a `RunContents` (from `codesample.evaluation.run_contents.read_run`) and give plain records with
`as_json`:

- `sizes_of`: 1, 2, 4, ... n, the sizes of curves.
- `pass_at_k_curve`: pass@k for k = 1 to n. It is also what an oracle gives: best-of-k by hidden tests.
- `random_curve`: what choosing at random gives: pass@1 at every size.
- `best_of_n_curves`: by reranker, best-of-n from the one pool. A point at n = 1 and at n is there always; in
  between where scores do not depend on other candidates, or where scoring has scored subsets (`note` says
  why not, else).
- `gaps_closed`: by reranker, share of the gap between random and oracle, with interval; None without a gap.
- `calibrations`: by reranker, share that passes by quantile of the score.
- `score_distributions`: by reranker, scores of candidates that pass and that fail.
- `separations`: by reranker, chance that a passing candidate outranks a failing one.

Candidates without a grade count in none of them. A problem with fewer candidates than a point's k counts
there with all that it has; `Point.short` says how many problems do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.kept_curves import curve_columns, curve_sizes
from codesample.evaluation.metrics import best_of_n, pass_at_k
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.score_quality import (
    Calibration,
    Marked,
    ScoreDistribution,
    Separation,
    calibration,
    score_distribution,
    separation,
)
from codesample.evaluation.scoring import Pool, Scores

__all__ = [
    "Curve",
    "Point",
    "best_of_n_curves",
    "calibrations",
    "gaps_closed",
    "pass_at_k_curve",
    "random_curve",
    "score_distributions",
    "separations",
    "sizes_of",
]


@dataclass(frozen=True, slots=True)
class Point:
    """A curve's figure at one size.

    Attributes:
        k: How many candidates are drawn.
        estimate: Mean over problems.
        short: How many problems have fewer than k, and count with all they have.
    """

    k: int
    estimate: Estimate
    short: int = 0


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures by size.

    Attributes:
        name: Of what: "pass@k", "random", or a reranker.
        points: Ascending in k.
        note: Why points are missing, or how they were made where they are not exact; "" else.
    """

    name: str
    points: tuple[Point, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {"name": self.name, "points": [asdict(each) for each in self.points], "note": self.note}


def sizes_of(contents: RunContents) -> tuple[int, ...]:
    """Return 1, 2, 4, ... and the most graded candidates that a problem has."""
    return curve_sizes(_graded(contents))


def pass_at_k_curve(contents: RunContents, sizes: Sequence[int] | None = None) -> Curve:
    """Return pass@k by k.

    Args:
        sizes: The k; default: all from 1 to n where these are at most 64, else about 64 of them.
    """
    graded = _graded(contents)
    most = max(len(pool.graded) for pool in graded)
    chosen = tuple(sizes) if sizes is not None else _spread(most)
    counts = [(len(pool.passed), sum(pool.passed)) for pool in graded]
    columns = [[pass_at_k(n, c, min(k, n)) for n, c in counts] for k in chosen]
    return _curve("pass@k", graded, chosen, Draws(len(graded)).shares(columns))


def random_curve(contents: RunContents, sizes: Sequence[int] | None = None) -> Curve:
    """Return what choosing at random gives: pass@1 at every size."""
    graded = _graded(contents)
    chosen = tuple(sizes) if sizes is not None else sizes_of(contents)
    counts = [(len(pool.passed), sum(pool.passed)) for pool in graded]
    (one,) = Draws(len(graded)).shares([[c / n for n, c in counts]])
    return _curve("random", graded, chosen, [one] * len(chosen))


def best_of_n_curves(contents: RunContents) -> dict[str, Curve]:
    """Return best-of-n by n for every saved reranker, at `sizes_of`."""
    graded = _graded(contents)
    draws = Draws(len(graded))
    found = {}
    for name, column in contents.scores.items():
        columns, note = curve_columns(name, graded, column, contents.curves.get(name))
        found[name] = _curve(name, graded, tuple(columns), draws.shares(list(columns.values())), note)
    return found


def gaps_closed(contents: RunContents) -> dict[str, Estimate | None]:
    """Return, by reranker, the share of the gap between random and oracle that it closes."""
    graded = _graded(contents)
    random = [sum(pool.passed) / len(pool.passed) for pool in graded]
    gap = [float(any(pool.passed)) - chance for pool, chance in zip(graded, random, strict=True)]
    lifts = [
        [_best(pool, column) - chance for pool, chance in zip(graded, random, strict=True)]
        for column in contents.scores.values()
    ]
    return dict(zip(contents.scores, Draws(len(graded)).ratios(lifts, gap), strict=True))


def calibrations(contents: RunContents, *, bins: int = 10) -> dict[str, Calibration]:
    """Return, by reranker, the share of candidates that pass by quantile of their score."""
    return {name: calibration(_all(by), bins=bins) for name, by in _marked(contents).items()}


def score_distributions(contents: RunContents, *, bins: int = 30) -> dict[str, ScoreDistribution]:
    """Return, by reranker, the scores of candidates that pass and of those that fail."""
    return {name: score_distribution(_all(by), bins=bins) for name, by in _marked(contents).items()}


def separations(contents: RunContents) -> dict[str, Separation]:
    """Return, by reranker, how well its scores tell candidates that pass from those that fail."""
    return {name: separation(by) for name, by in _marked(contents).items()}


def _graded(contents: RunContents) -> list[Pool]:
    return [pool for pool in contents.pools if pool.graded]


def _spread(most: int, *, points: int = 64) -> tuple[int, ...]:
    """Return sizes from 1 to `most`, all of them or about `points`, closer together where they are small."""
    if most <= points:
        return tuple(range(1, most + 1))
    return tuple(sorted({round(most ** (at / (points - 1))) for at in range(points)}))


def _curve(
    name: str, graded: Sequence[Pool], sizes: Sequence[int], figures: Sequence[Estimate], note: str = ""
) -> Curve:
    held = [len(pool.graded) for pool in graded]
    points = [Point(k, figure, sum(n < k for n in held)) for k, figure in zip(sizes, figures, strict=True)]
    return Curve(name, tuple(points), note)


def _best(pool: Pool, column: Scores) -> float:
    return best_of_n([column[pool.problem.task_id][at] for at in pool.graded], pool.passed)


def _marked(contents: RunContents) -> dict[str, Mapping[str, Marked]]:
    """Return, by reranker and problem, the graded candidates' scores with whether they pass."""
    graded = _graded(contents)
    return {
        name: {
            pool.problem.task_id: list(
                zip((column[pool.problem.task_id][at] for at in pool.graded), pool.passed, strict=True)
            )
            for pool in graded
        }
        for name, column in contents.scores.items()
    }


def _all(by_problem: Mapping[str, Marked]) -> Marked:
    return [pair for candidates in by_problem.values() for pair in candidates]
