"""Intervals by the bootstrap over problems: how far a figure would move on other, similar problems."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from codesample.errors import MetricError

__all__ = ["Estimate", "bootstrap", "paired_bootstrap"]

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: Sequence[float], *, level: float = 0.95, resamples: int = _RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the mean over problems with its percentile interval.

    Args:
        values: One figure per problem, such as its pass@k.
        level: Share of the resampled means that lie inside the interval, in (0, 1).
        resamples: How many times the problems are drawn anew, with replacement.
        seed: Equal seeds and values give equal intervals.

    Raises:
        MetricError: no problems, a value that is not finite, or a parameter outside its range.
    """
    if not values:
        raise MetricError("an interval over no problems is not defined")
    if not all(math.isfinite(value) for value in values):
        raise MetricError("an interval needs finite figures; one of them is NaN or infinite")
    if not 0 < level < 1 or resamples < 1:
        raise MetricError(f"level = {level}, resamples = {resamples}: expected (0, 1) and at least 1")
    rng = random.Random(seed)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(resamples))
    tail = (1 - level) / 2
    return Estimate(fmean(values), low=_quantile(means, tail), high=_quantile(means, 1 - tail))


def paired_bootstrap(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    level: float = 0.95,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean difference `ours - theirs` over the same problems, with its percentile interval.

    Raises:
        MetricError: the two differ in length, or as `bootstrap`.
    """
    if len(ours) != len(theirs):
        raise MetricError(f"paired figures differ in length: {len(ours)} and {len(theirs)}")
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return bootstrap(differences, level=level, resamples=resamples, seed=seed)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, linear between neighbours."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
