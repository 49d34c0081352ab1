"""Best-of-n from one pool where scores depend on the other candidates: subsets of it, each scored anew."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import combinations
from statistics import fmean

from codesample.evaluation.metrics import Score, best_of_n

__all__ = ["SubsetScorer", "best_of_subsets", "subsets_of"]

SubsetScorer = Callable[[Sequence[int]], Sequence[Score]]
"""Scores the candidates at the given positions as if there were no others, in their order."""

# so many candidates are scored for a size, in at least and at most so many subsets
_CANDIDATES = 128
_LEAST = 4
_MOST = 16


def subsets_of(total: int, size: int, *, seed: int, key: str) -> list[tuple[int, ...]]:
    """Return subsets of `total` positions, drawn without replacement: all where they are few.

    Larger subsets share more of the pool and tell more each, so fewer of them are drawn: 16 of 8 and fewer,
    8 of 16, 4 of 32 and more.

    Args:
        size: From 1 to `total`.
        seed, key: Settle what is drawn; `key` names the problem.
    """
    wanted = min(_MOST, max(_LEAST, _CANDIDATES // size))
    if math.comb(total, size) <= wanted:
        return list(combinations(range(total), size))
    rng = random.Random(f"{seed}/{key}/{size}")
    found: dict[tuple[int, ...], None] = {}
    while len(found) < wanted:
        found[tuple(sorted(rng.sample(range(total), size)))] = None
    return list(found)


def best_of_subsets(
    score_subset: SubsetScorer, passed: Sequence[bool], sizes: Sequence[int], *, seed: int, key: str
) -> list[float]:
    """Return best-of-n of one problem for each n in `sizes`, expected over subsets of its pool.

    One candidate is what it is, so that size 1 is pass@1 and nothing is scored. Of other sizes as many
    subsets are scored as `subsets_of` gives: exact where that is all of them, as for the whole pool.

    Args:
        score_subset: The reranker.
        passed: Whether each candidate of the pool passes.
        sizes: From 1; one beyond the pool stands for all of it.
        seed, key: As `subsets_of`.

    Raises:
        MetricError: no candidates, or a score that is not a number; and whatever `score_subset` raises.
    """
    right = sum(passed)
    known: dict[int, float] = {}
    for size in (min(each, len(passed)) for each in sizes):
        if size in known:
            continue
        if size == 1 or right in (0, len(passed)):
            # whichever is chosen
            known[size] = right / len(passed)
            continue
        drawn = subsets_of(len(passed), size, seed=seed, key=key)
        known[size] = fmean(best_of_n(score_subset(at), [passed[each] for each in at]) for at in drawn)
    return [known[min(each, len(passed))] for each in sizes]
