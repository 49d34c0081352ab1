"""What a reranker puts first among one problem's candidates, what it should have, and every one's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesample.evaluation.scoring import Pool

__all__ = ["Pick", "order_of", "pick_of", "places"]


@dataclass(frozen=True, slots=True)
class Pick:
    """The first choice of a reranker.

    Attributes:
        indices: Of the graded candidates with the highest score, ascending. Several are a tie, over which
            figures average.
        passed: How many of them passed.
        shown: Position in the pool of the one that stands for them: the first that fails, where one does.
        score: Of each of them; None where the reranker gave no candidate a score.
        passing: Position of the best-scored candidate that passes; None where none does.
        passing_score: Its score.
        rank: Its place: 1 and how many graded candidates are scored higher.
    """

    indices: tuple[int, ...]
    passed: int
    shown: int
    score: float | None = None
    passing: int | None = None
    passing_score: float | None = None
    rank: int | None = None

    @property
    def share(self) -> float:
        """How likely a choice among them passes, as best-of-n counts it."""
        return self.passed / len(self.indices)


def pick_of(pool: Pool, scores: Sequence[float | None]) -> Pick | None:
    """Return what scores put first, None where no candidate is graded.

    Args:
        scores: Of the pool's candidates, in their order; one that abstains comes after all that do not.
    """
    graded = pool.graded
    if not graded:
        return None
    top = max(order_of(scores[at]) for at in graded)
    first = [at for at in graded if order_of(scores[at]) == top]
    indices = tuple(pool.candidates[at].index for at in first)
    shown = next((at for at in first if not pool.verdicts[at].passed), first[0])
    passed = sum(pool.verdicts[at].passed for at in first)
    right = [at for at in graded if pool.verdicts[at].passed]
    if not right:
        return Pick(indices, passed, shown, scores[shown])
    best = max(right, key=lambda at: (order_of(scores[at]), -at))
    rank = 1 + sum(order_of(scores[at]) > order_of(scores[best]) for at in graded)
    return Pick(indices, passed, shown, scores[shown], best, scores[best], rank)


def places(scores: Sequence[float | None]) -> list[tuple[int, int]]:
    """Return of each score the first and the last place, from 1, that it shares with those equal to it."""
    ordered = sorted(map(order_of, scores), reverse=True)
    first = {order: place for place, order in reversed(list(enumerate(ordered, 1)))}
    last = {order: place for place, order in enumerate(ordered, 1)}
    return [(first[order_of(score)], last[order_of(score)]) for score in scores]


def order_of(score: float | None) -> tuple[bool, float]:
    """Return what scores are ordered by: None comes below every number."""
    return (False, 0.0) if score is None else (True, score)
