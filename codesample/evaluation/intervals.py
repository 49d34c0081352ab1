"""Intervals by the bootstrap over problems: how far a figure would move on other, similar problems.

Ends are those of the BCa bootstrap (bias-corrected and accelerated; Efron 1987, "Better bootstrap confidence
intervals"), but never nearer than what n problems cannot have shown. Drawing anew shows nothing where all
figures are equal or there is one problem, and too little where nearly all are; yet a kind of problem that n
draws missed may be a share r = 1 - a^(1/n) of all (Clopper and Pearson 1934, no success in n trials; a half
of what lies outside an interval), and give any figure of the range: from v - r (v - least) to
v + r (most - v) around a mean v. Where all problems pass, or none, that is Clopper and Pearson's interval;
for one problem it is nearly the whole range. Chosen by how often nominal 95 % intervals held the truth (400
simulated samples each; problems that pass with chance p, or shares of 16 candidates whose chance is Beta's):

    problems  chance              percentile  BCa, exact ends  Wilson, effective n  here
    10        p = 0.02            0.185       0.995            0.975                0.995
    10        p = 0.2             0.868       0.980            0.975                0.980
    20        p = 0.05            0.590       1.000            0.932                1.000
    20        p = 0.9             0.895       0.998            0.945                0.998
    20        Beta(0.1, 0.9)      0.885       0.900            0.895                0.973
    50        Beta(0.3, 0.3)      0.920       0.955            0.927                0.955
    20        1/2, 5 % have 1     -           0.645            -                    1.000
    5         Beta(2, 2)          -           0.855            -                    1.000
    2         Beta(2, 2)          -           0.573            -                    1.000
    1         Beta(0.3, 0.3)      -           0.448            -                    1.000
"""

from __future__ import annotations

import math
import random
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from statistics import NormalDist, fmean

from codesample.errors import MetricError
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Draws", "Estimate", "bootstrap", "paired_bootstrap"]

_RESAMPLES = 2000
_LEVEL = 0.95
# places that are kept between calls: 2000 draws of 4000 problems
_MOST_KEPT = 8_000_000
# steps into which the range of a column is cut, so that sums of millions of problems fit 64 bits
_STEPS = 1 << 40
_TINY = 1e-12
# means that are no further apart differ by rounding
_STILL = 1e-9
_DIGITS = 9
_NORMAL = NormalDist()

_Pick = Callable[[Sequence[int]], tuple[int, ...]]


@validated
@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float

    __repr__ = one_line


class Draws:
    """Problems drawn anew, with replacement, many times; the same draws serve every figure over them.

    Figures that are compared share their draws, so that a difference or a ratio of two has an interval of
    its own, and hundreds of figures cost little more than one.

    Args:
        size: How many problems there are.
        level: Share of the figures of the draws that lie inside an interval, in (0, 1).
        resamples: How many times problems are drawn.
        seed: Equal seeds give equal draws.
        clusters: By problem, which belong together, such as those of one source: they are drawn as one.
            Default: each stands for itself.

    Raises:
        MetricError: no problems, a parameter outside its range, or clusters of another number of problems.
    """

    def __init__(
        self,
        size: int,
        *,
        level: float = _LEVEL,
        resamples: int = _RESAMPLES,
        seed: int = 0,
        clusters: Sequence[Hashable] | None = None,
    ) -> None:
        if size < 1:
            raise MetricError("an interval over no problems is not defined")
        if not 0 < level < 1 or resamples < 1:
            raise MetricError(f"level = {level}, resamples = {resamples}: expected (0, 1) and at least 1")
        if clusters is not None and len(clusters) != size:
            raise MetricError(f"{len(clusters)} clusters for {size} problems")
        self.size, self._level = size, level
        self._groups = _groups(clusters) if clusters is not None else [[at] for at in range(size)]
        if clusters is None and size * resamples <= _MOST_KEPT:
            self._picks = _kept_draws(size, resamples, seed)
        else:
            self._picks = _drawn(self._groups, resamples, seed)

    def means(self, columns: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return, for each column of one figure per problem, its mean in each draw.

        Raises:
            MetricError: a column of another length than there are problems, or a figure that is not finite.
        """
        for column in columns:
            self._check(column)
        if not columns:
            return []
        scales = [_Scale.of(column) for column in columns]
        # all columns of a problem stand side by side in one long integer, so that one addition adds all
        row = struct.Struct(f"<{len(columns)}Q")
        steps = zip(
            *(scale.steps(column) for scale, column in zip(scales, columns, strict=True)), strict=True
        )
        packed = [int.from_bytes(row.pack(*each), "little") for each in steps]
        sums, sizes = [], []
        for pick in self._picks:
            chosen = pick(packed)
            sums.append(row.unpack(sum(chosen).to_bytes(row.size, "little")))
            sizes.append(len(chosen))
        return [
            [scale.mean(each, size) for each, size in zip(column, sizes, strict=True)]
            for scale, column in zip(scales, zip(*sums, strict=True), strict=True)
        ]

    def estimates(
        self, columns: Sequence[Sequence[float]], *, between: tuple[float, float]
    ) -> list[Estimate]:
        """Return, for each column, its mean over problems with its interval.

        Args:
            columns: One figure per problem each.
            between: The least and the greatest figure that a problem can have.

        Raises:
            MetricError: a figure outside of `between`, or as `means`.
        """
        least, most = between
        found = []
        for column, resampled in zip(columns, self.means(columns), strict=True):
            if min(column) < least or max(column) > most:
                raise MetricError(f"a figure lies outside [{least:g}, {most:g}]")
            # rounding must not take a mean of equal figures out of their range
            value = min(max(fmean(column), least), most)
            seen = self._interval(value, resampled, self._without_each(column))
            found.append(_wider(seen, _unseen(value, least, most, self._beyond(len(self._groups)))))
        return found

    def shares(self, columns: Sequence[Sequence[float]]) -> list[Estimate]:
        """Return estimates of chances, figures in [0, 1] such as pass@k.

        Raises:
            MetricError: a figure outside [0, 1], or as `means`.
        """
        return [_tidy(each) for each in self.estimates(columns, between=(0.0, 1.0))]

    def differences(self, columns: Sequence[Sequence[float]]) -> list[Estimate]:
        """Return estimates of how far one chance is above another, figures in [-1, 1].

        Raises:
            MetricError: a figure outside [-1, 1], or as `means`.
        """
        return [_tidy(each) for each in self.estimates(columns, between=(-1.0, 1.0))]

    def ratios(self, tops: Sequence[Sequence[float]], bottom: Sequence[float]) -> list[Estimate | None]:
        """Return mean(top) / mean(bottom) for each top, with its interval; None where bottom's mean is 0.

        For the share of a gap that is closed: the bottom is how far an oracle's chance is above a random
        choice's, the top how far another one's is. Draws in which the bottom is 0 have no ratio and are left
        out. Where a ratio is the same in all others, the interval is what those problems whose bottom is not
        0 cannot have shown: others of the mean gap, b, of which anything is closed from 1 - 1/b, where the
        choice is always wrong, to 1; where a top equals the bottom on every problem, from 0 to 1.

        Raises:
            MetricError: as `means`.
        """
        *resampled, below = self.means([*tops, bottom])
        whole = fmean(bottom)
        if abs(whole) <= _TINY:
            return [None for _ in tops]
        lesser = self._without_each(bottom)
        counting = sum(any(abs(bottom[at]) > _TINY for at in group) for group in self._groups)
        beyond = self._beyond(counting)
        found: list[Estimate | None] = []
        for top, above in zip(tops, resampled, strict=True):
            ratios = _quotients(above, below)
            estimate = self._interval(fmean(top) / whole, ratios, _quotients(self._without_each(top), lesser))
            if max(ratios) - min(ratios) <= _STILL:
                closed = max(abs(a - b) for a, b in zip(top, bottom, strict=True)) <= _TINY
                value, least = (1.0, 0.0) if closed else (estimate.value, min(1 - 1 / whole, estimate.value))
                estimate = _unseen(value, least, max(1.0, value), beyond)
            found.append(_tidy(estimate))
        return found

    def _beyond(self, trials: int) -> float:
        """Return how large a chance may be that `trials` trials never showed."""
        return float(1 - ((1 - self._level) / 2) ** (1 / trials))

    def _without_each(self, column: Sequence[float]) -> list[float]:
        """Return the means that are left without each problem, or cluster, in turn."""
        total = math.fsum(column)
        return [
            (total - sum(column[at] for at in group)) / (self.size - len(group))
            for group in self._groups
            if len(group) < self.size
        ]

    def _interval(self, value: float, resampled: Sequence[float], without_each: Sequence[float]) -> Estimate:
        """Return a figure between the BCa ends of what it is when problems are drawn anew."""
        ordered, tail = sorted(resampled), (1 - self._level) / 2
        if ordered[-1] - ordered[0] <= _STILL:
            # nothing moves, and rounding is no evidence of anything
            return Estimate(value, value, value)
        less = bisect_left(ordered, value - _TINY)
        same = bisect_right(ordered, value + _TINY) - less
        share = (less + same / 2) / len(ordered)
        bias = _NORMAL.inv_cdf(min(max(share, 1 / len(ordered)), 1 - 1 / len(ordered)))
        speed = _acceleration(without_each)
        low, high = (_quantile(ordered, _adjusted(each, bias, speed)) for each in (tail, 1 - tail))
        return Estimate(value, min(low, value), max(high, value))

    def _check(self, column: Sequence[float]) -> None:
        if len(column) != self.size:
            raise MetricError(f"{len(column)} figures for {self.size} problems")
        if not all(map(math.isfinite, column)):
            raise MetricError("an interval needs finite figures; one of them is NaN or infinite")


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps the range of a column to whole steps, and sums of steps back to means."""

    least: float
    width: float

    @classmethod
    def of(cls, column: Sequence[float]) -> _Scale:
        least = min(column)
        return cls(least, (max(column) - least) / _STEPS)

    def steps(self, column: Sequence[float]) -> list[int]:
        return [round((value - self.least) / self.width) if self.width else 0 for value in column]

    def mean(self, steps: int, size: int) -> float:
        return self.least + self.width * steps / size


def _unseen(value: float, least: float, most: float, beyond: float) -> Estimate:
    """Return what a mean may be where a share of all problems, `beyond`, may have any figure of the range."""
    return Estimate(value, value - beyond * (value - least), value + beyond * (most - value))


def _wider(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.value, min(one.low, other.low), max(one.high, other.high))


def _tidy(estimate: Estimate) -> Estimate:
    """Round the ends of an interval of shares, which are exact to a trillionth of a column's range."""
    value = estimate.value
    low, high = round(estimate.low, _DIGITS), round(estimate.high, _DIGITS)
    return Estimate(value, min(low, value), max(high, value))


def bootstrap(
    values: Sequence[float], *, level: float = _LEVEL, resamples: int = _RESAMPLES, seed: int = 0
) -> Estimate:
    """Return the mean over problems of figures in [0, 1] with its interval.

    Args:
        values: One figure per problem, such as its pass@k.
        level: Share of the resampled means that lie inside the interval, in (0, 1).
        resamples: How many times the problems are drawn anew, with replacement.
        seed: Equal seeds and values give equal intervals.

    Raises:
        MetricError: no problems, a value that is not finite or outside [0, 1], or a parameter outside its
            range.
    """
    return Draws(len(values), level=level, resamples=resamples, seed=seed).shares([values])[0]


def paired_bootstrap(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    level: float = _LEVEL,
    resamples: int = _RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean difference `ours - theirs` of chances over the same problems, with its interval.

    Raises:
        MetricError: the two differ in length, or as `bootstrap`.
    """
    if len(ours) != len(theirs):
        raise MetricError(f"paired figures differ in length: {len(ours)} and {len(theirs)}")
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return Draws(len(ours), level=level, resamples=resamples, seed=seed).differences([differences])[0]


def _groups(clusters: Sequence[Hashable]) -> list[list[int]]:
    members: dict[Hashable, list[int]] = {}
    for at, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(at)
    return list(members.values())


@lru_cache(maxsize=4)
def _kept_draws(size: int, resamples: int, seed: int) -> Sequence[_Pick]:
    return _drawn([[at] for at in range(size)], resamples, seed)


def _drawn(groups: Sequence[Sequence[int]], resamples: int, seed: int) -> Sequence[_Pick]:
    rng = random.Random(seed)
    count = len(groups)
    return [_picker([at for group in rng.choices(groups, k=count) for at in group]) for _ in range(resamples)]


def _picker(places: Sequence[int]) -> _Pick:
    # of a single place, itemgetter gives the item and no tuple of it
    return itemgetter(*places) if len(places) > 1 else lambda values: (values[places[0]],)


def _quotients(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [top / bottom for top, bottom in zip(above, below, strict=True) if abs(bottom) > _TINY]


def _acceleration(without_each: Sequence[float]) -> float:
    """Return how fast the spread of a figure grows with it: a sixth of the jackknife's skewness."""
    if not without_each:
        return 0.0
    centre = fmean(without_each)
    away = [centre - each for each in without_each]
    spread = math.fsum(each * each for each in away)
    return math.fsum(each**3 for each in away) / (6 * spread**1.5) if spread > _TINY**2 else 0.0


def _adjusted(tail: float, bias: float, speed: float) -> float:
    """Return which quantile of the resampled figures stands for `tail`."""
    shifted = bias + _NORMAL.inv_cdf(tail)
    # past the pole of the correction the end lies at the outermost figure
    left = 1 - speed * shifted
    return _NORMAL.cdf(bias + shifted / left) if left > _TINY else float(shifted > 0)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted values, linear between neighbours."""
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
