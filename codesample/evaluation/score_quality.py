"""What scores say of single candidates: calibration, and how those that pass and that fail are parted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import fmean
from typing import Any

from codesample.evaluation.metrics import Score, auc

__all__ = [
    "Calibration",
    "CalibrationBin",
    "ScoreBin",
    "ScoreDistribution",
    "Separation",
    "calibration",
    "score_distribution",
    "separation",
]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Candidates with neighbouring scores.

    Attributes:
        low, high: Least and greatest score in it.
        mean: Of its scores.
        candidates: How many there are.
        passed: Share of them that pass.
    """

    low: float
    high: float
    mean: float
    candidates: int
    passed: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the share of candidates that pass grows with their score.

    Attributes:
        bins: About equally many candidates each, least scores first; equal scores are never parted.
        error: Expected calibration error: mean over candidates of |share that pass - mean score| of their
            bin. None where scores are no chances: one of them lies outside [0, 1], or there is none.
        abstained: Candidates without a score, which are in no bin.
    """

    bins: tuple[CalibrationBin, ...]
    error: float | None
    abstained: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """A stretch of scores, both ends included in the last bin, else the lower one alone.

    Attributes:
        low, high: Its ends; equal where it stands for one score.
        passing, failing: How many candidates of each have such a score.
    """

    low: float
    high: float
    passing: int
    failing: int


@dataclass(frozen=True, slots=True)
class ScoreDistribution:
    """Scores of candidates that pass and of candidates that fail.

    Attributes:
        bins: One per score where there are few scores; else equally wide ones between the scores that one
            candidate in a hundred falls below and above, which the outer ones count as well.
        abstained_passing, abstained_failing: Candidates without a score.
    """

    bins: tuple[ScoreBin, ...]
    abstained_passing: int = 0
    abstained_failing: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _plain(self)


@dataclass(frozen=True, slots=True)
class Separation:
    """How likely a candidate that passes outranks one that fails; 0.5 says nothing, 1 all.

    Attributes:
        pooled: Over all pairs of all problems; None where all pass or none does.
        within: Over pairs of one problem, mean over problems; what choosing within a problem needs.
        problems: How many problems have both, and count in `within`.
    """

    pooled: float | None
    within: float | None
    problems: int

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return _plain(self)


Marked = Sequence[tuple[Score, bool]]
"""Candidates: each with its score and whether it passes."""


def calibration(candidates: Marked, *, bins: int = 10) -> Calibration:
    """Return how many candidates pass by their score.

    Args:
        candidates: Of all problems.
        bins: At most so many.
    """
    scored = sorted((score, passed) for score, passed in candidates if score is not None)
    found: list[list[tuple[float, bool]]] = []
    done, last = 0, -1
    for _, group in groupby(scored, key=lambda pair: pair[0]):
        members = list(group)
        # equal scores go where the middle one of them lies
        place = int((done + len(members) / 2) * bins / len(scored))
        if place != last or not found:
            found.append([])
        found[-1] += members
        done, last = done + len(members), place
    made = tuple(_calibration_bin(members) for members in found)
    chances = bool(scored) and scored[0][0] >= 0 and scored[-1][0] <= 1
    gaps = sum(each.candidates * abs(each.passed - each.mean) for each in made)
    return Calibration(made, gaps / len(scored) if chances else None, len(candidates) - len(scored))


def score_distribution(candidates: Marked, *, bins: int = 30) -> ScoreDistribution:
    """Return how many passing and failing candidates have which scores.

    Args:
        candidates: Of all problems.
        bins: At most so many.
    """
    scored = sorted((score, passed) for score, passed in candidates if score is not None)
    silent = [passed for score, passed in candidates if score is None]
    values = [score for score, _ in scored]
    distinct = sorted(set(values))
    if len(distinct) <= bins:
        edges = [(each, each) for each in distinct]
    else:
        low, high = values[len(values) // 100], values[-1 - len(values) // 100]
        if high <= low:
            low, high = values[0], values[-1]
        step = (high - low) / bins
        edges = [(low + at * step, low + (at + 1) * step) for at in range(bins)]
    counts = [[0, 0] for _ in edges]
    starts = [low for low, _ in edges]
    for score, passed in scored:
        counts[max(0, bisect_right(starts, score) - 1)][not passed] += 1
    made = (ScoreBin(*ends, *count) for ends, count in zip(edges, counts, strict=True))
    return ScoreDistribution(tuple(made), sum(silent), len(silent) - sum(silent))


def separation(by_problem: Mapping[str, Marked]) -> Separation:
    """Return how well scores tell candidates that pass from those that fail.

    Args:
        by_problem: Candidates by problem, each with at least one.
    """
    every = [pair for candidates in by_problem.values() for pair in candidates]
    areas = [_auc(candidates) for candidates in by_problem.values()]
    known = [area for area in areas if area is not None]
    return Separation(_auc(every), fmean(known) if known else None, len(known))


def _auc(candidates: Marked) -> float | None:
    return auc([score for score, _ in candidates], [passed for _, passed in candidates])


def _calibration_bin(members: Sequence[tuple[float, bool]]) -> CalibrationBin:
    scores = [score for score, _ in members]
    passed = fmean(passed for _, passed in members)
    return CalibrationBin(scores[0], scores[-1], fmean(scores), len(members), passed)


def _plain(record: Any) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(record).items()}
