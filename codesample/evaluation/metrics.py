"""From verdicts and scores to numbers: pass@k, best-of-n with exact ties, and what a reranker recovers.

All of it is exact arithmetic on one problem's pool of n candidates, averaged over problems with each
problem's own n. A score of None ranks below every number; equal scores are ties, and every figure is the
average over all orders of the tied candidates, so that the order of the pool never matters.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import compress
from operator import ne
from typing import Literal, NamedTuple

from codesample.errors import MetricError

__all__ = [
    "ByProblem",
    "Short",
    "Tie",
    "auc",
    "best_of_n",
    "best_of_n_curve",
    "gap_closed",
    "pass_at_k",
    "pass_at_k_by_problem",
    "ragged_pass_at_k",
    "ranked_pass_at_k",
    "sampling_variance",
    "tied_scores",
]

Score = float | None

Short = Literal["refuse", "leave_out", "use_all"]
"""What becomes of a problem with fewer than k candidates: an error; no figure; or the figure of as many as
it has, which pass@k is never below. None is ever padded."""


class ByProblem(NamedTuple):
    """Figures by problem, and which problems have fewer than k candidates."""

    values: dict[str, float]
    short: tuple[str, ...]


class Tie(NamedTuple):
    """Candidates with one score: how many there are, and how many of them are correct."""

    size: int
    correct: int


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that k of n candidates, drawn without replacement, hold one of the c correct ones.

    Computed as 1 - prod over i in (n-c, n] of (1 - k/i). Source: arXiv:2107.03374, section 2.1.

    Raises:
        MetricError: not 0 <= c <= n, k below 1, or k above n, where the estimate is not defined.
    """
    if not 0 <= c <= n:
        raise MetricError(f"{c} correct of {n} candidates: expected between 0 and {n}")
    _check_k(k, n)
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def pass_at_k_by_problem(counts: Mapping[str, tuple[int, int]], k: int) -> dict[str, float]:
    """Return each problem's pass@k, from its own n.

    Args:
        counts: Per problem, (n, c): candidates with a verdict, and how many of them passed.
        k: At least 1 and at most the smallest n.

    Raises:
        MetricError: no problems, or a problem has fewer than k candidates; names it.
    """
    if not counts:
        raise MetricError(f"pass@{k} of no problems is not defined")
    short = min(counts, key=lambda problem: counts[problem][0])
    _check_k(k, counts[short][0], problem=short)
    return {problem: pass_at_k(n, c, k) for problem, (n, c) in counts.items()}


def ragged_pass_at_k(counts: Mapping[str, tuple[int, int]], k: int, *, short: Short = "refuse") -> ByProblem:
    """Return each problem's pass@k, where problems may have unequally many candidates.

    Args:
        counts: As `pass_at_k_by_problem`.
        k: At least 1.
        short: What becomes of problems with fewer than k candidates. With "use_all" their figure is
            pass@n of their own n, so that the mean is too low rather than over fewer problems; a problem
            without any candidate is left out in every case.

    Raises:
        MetricError: as `pass_at_k_by_problem` with "refuse"; k below 1, or no problem has a figure.
    """
    if short == "refuse":
        return ByProblem(pass_at_k_by_problem(counts, k), ())
    _check_k(k, max(k, 1))
    lacking = tuple(problem for problem, (n, _) in counts.items() if n < k)
    least = 1 if short == "use_all" else k
    kept = {problem: (n, c) for problem, (n, c) in counts.items() if n >= least}
    if not kept:
        raise MetricError(f"pass@{k} is not defined: none of {len(counts)} problems has {least} candidates")
    return ByProblem({problem: pass_at_k(n, c, min(k, n)) for problem, (n, c) in kept.items()}, lacking)


def sampling_variance(n: int, c: int, k: int) -> float | None:
    """Return how much of a problem's pass@k is chance of the draw: its variance over other n candidates.

    Unbiased: the square of the estimated chance of k misses, less the estimated chance of 2k misses,
    C(n-c, k)^2 / C(n, k)^2 - C(n-c, 2k) / C(n, 2k). For k = 1 that is c (n-c) / (n^2 (n-1)).

    Returns: None where n < 2k, and no estimate is unbiased.

    Raises:
        MetricError: as `pass_at_k`.
    """
    miss = 1.0 - pass_at_k(n, c, k)
    if n < 2 * k:
        return None
    return max(0.0, miss**2 - (1.0 - pass_at_k(n, c, 2 * k)))


def best_of_n(scores: Sequence[Score], passed: Sequence[bool]) -> float:
    """Return how likely the top-scored candidate is correct, ties averaged over.

    Raises:
        MetricError: no candidates, different lengths, or a score that is not a number.
    """
    _check_scores(scores, passed)
    top = max((score for score in scores if score is not None), default=None)
    chosen = [outcome for score, outcome in zip(scores, passed, strict=True) if score == top]
    return sum(map(bool, chosen)) / len(chosen)


def ranked_pass_at_k(scores: Sequence[Score], passed: Sequence[bool], k: int) -> float:
    """Return how likely one of the k top-scored candidates is correct, ties averaged over.

    Walks the ties from the top; a tie of m with c correct, r places left, multiplies
    the chance of a miss by C(m-c, min(r,m)) / C(m, min(r,m)).

    Raises:
        MetricError: as `best_of_n`, or k outside [1, n].
    """
    ties = tied_scores(scores, passed)
    _check_k(k, len(scores))
    miss, left = 1.0, k
    for size, correct in ties:
        taken = min(left, size)
        miss *= math.comb(size - correct, taken) / math.comb(size, taken)
        left -= taken
        if left == 0 or miss == 0.0:
            break
    return 1.0 - miss


def best_of_n_curve(scores: Sequence[Score], passed: Sequence[bool], sizes: Sequence[int]) -> list[float]:
    """Return best-of-n for each n in `sizes`, expected over all n-subsets of one pool of N.

    The candidate of rank r is the best of a random n-subset with chance C(N-r, n-1) / C(N, n); tied ranks
    share their tie's mean. Only for rerankers that score a candidate independently of the others;
    for set-wise ones the subsets must be scored anew.

    Raises:
        MetricError: as `best_of_n`, or a size outside [1, N].
    """
    order, sizes_of, correct_of = _counted(scores, passed)
    right, rank = [], 0
    for score in order:
        size = sizes_of[score]
        if correct := correct_of.get(score):
            right.append((rank, rank + size, correct / size))
        rank += size
    curve = []
    for n in sizes:
        _check_k(n, len(scores))
        # of the subsets, the share whose best is in a tie: those that miss what is above, and not it
        misses = _misses(len(scores), n)
        curve.append(sum([(misses[first] - misses[end]) * share for first, end, share in right]))
    return curve


def auc(scores: Sequence[Score], passed: Sequence[bool]) -> float | None:
    """Return the chance that a candidate which passes outranks one which fails; equal scores count half.

    Returns: None where all pass or none does.

    Raises:
        MetricError: as `best_of_n`.
    """
    ties = tied_scores(scores, passed)
    right = sum(tie.correct for tie in ties)
    wrong = len(scores) - right
    if not right or not wrong:
        return None
    won, below = 0.0, wrong
    for size, correct in ties:
        below -= size - correct
        won += correct * (below + (size - correct) / 2)
    return won / (right * wrong)


def gap_closed(chosen: float, random: float, oracle: float) -> float | None:
    """Return the share of the gap between a random choice and a perfect one that a reranker closes.

    Below 0 where it chooses worse than at random; None where there is no gap.
    """
    gap = oracle - random
    # pass@1 and pass@n of a pool without a gap may differ by rounding
    return None if gap <= 1e-12 else (chosen - random) / gap


def tied_scores(scores: Sequence[Score], passed: Sequence[bool]) -> list[Tie]:
    """Return the ties, best first; those that abstain come last.

    Raises:
        MetricError: no candidates, different lengths, or a score that is not a number.
    """
    order, sizes, correct = _counted(scores, passed)
    return [Tie(sizes[score], correct.get(score, 0)) for score in order]


def _counted(
    scores: Sequence[Score], passed: Sequence[bool]
) -> tuple[list[Score], Counter[Score], Counter[Score]]:
    """Return the scores that occur, best first, and of each how many have it and how many of these passed."""
    _check_scores(scores, passed)
    # counted at once, for reports ask this of thousands of pools
    sizes, correct = Counter(scores), Counter(compress(scores, passed))
    ranked = sorted((score for score in sizes if score is not None), reverse=True)
    return ([*ranked, None] if None in sizes else [*ranked]), sizes, correct


def _check_scores(scores: Sequence[Score], passed: Sequence[bool]) -> None:
    if len(scores) != len(passed):
        raise MetricError(f"{len(scores)} scores for {len(passed)} verdicts")
    if not scores:
        raise MetricError("best-of-n of no candidates is not defined")
    # nothing else differs from itself
    if any(map(ne, scores, scores)):
        raise MetricError("a score is NaN, which has no rank; a reranker abstains with None")


@lru_cache(maxsize=512)
def _misses(total: int, n: int) -> tuple[float, ...]:
    """Return, for each number of ranks from the top, the share of n-subsets that hold none of them."""
    subsets = math.comb(total, n)
    return tuple(math.comb(total - ranks, n) / subsets for ranks in range(total + 1))


def _check_k(k: int, n: int, *, problem: str | None = None) -> None:
    if k < 1:
        raise MetricError(f"k = {k}: expected at least 1")
    if k > n:
        of = f"problem {problem!r} has" if problem is not None else "there are"
        raise MetricError(
            f"pass@{k} needs at least {k} candidates, {of} {n}; sample more, or choose k <= {n}"
        )
