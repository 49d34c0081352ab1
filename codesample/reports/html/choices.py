"""What each reranker chooses of each problem, and what it would have had to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codesample.evaluation.metrics import best_of_n
from codesample.evaluation.picks import order_of
from codesample.evaluation.report import Report
from codesample.evaluation.scoring import Pool, Scores

__all__ = ["Choice", "best_reranker", "choice", "choices"]


class Choice(NamedTuple):
    """A reranker's choice of one problem; positions are those of the pool's candidates.

    Attributes:
        chance: How likely it passes; between 0 and 1 where candidates that fail and that pass share the top.
        tied: How many candidates share the top score.
        pick: One of them, one that fails where there is one.
        pick_score: Its score; None where the reranker abstains on every candidate.
        passing: The best-scored candidate that passes; None where none does.
        passing_score: Its score.
        rank: Its place: 1 and how many candidates are scored higher.
    """

    chance: float
    tied: int
    pick: int
    pick_score: float | None
    passing: int | None = None
    passing_score: float | None = None
    rank: int | None = None


def choice(pool: Pool, scores: Sequence[float | None]) -> Choice | None:
    """Return what the scores choose of a pool; None where no candidate has a grade."""
    graded = pool.graded
    if not graded:
        return None
    top = max(order_of(scores[at]) for at in graded)
    tied = [at for at in graded if order_of(scores[at]) == top]
    pick = next((at for at in tied if not pool.verdicts[at].passed), tied[0])
    chance = best_of_n([scores[at] for at in graded], pool.passed)
    passing = [at for at in graded if pool.verdicts[at].passed]
    if not passing:
        return Choice(chance, len(tied), pick, scores[pick])
    best = max(passing, key=lambda at: (order_of(scores[at]), -at))
    rank = 1 + sum(order_of(scores[at]) > order_of(scores[best]) for at in graded)
    return Choice(chance, len(tied), pick, scores[pick], best, scores[best], rank)


def choices(gathered: Sequence[Pool], scores: Mapping[str, Scores]) -> dict[str, list[Choice | None]]:
    """Return by reranker what it chooses of each pool, in their order."""
    return {
        name: [choice(pool, column[pool.problem.task_id]) for pool in gathered]
        for name, column in scores.items()
    }


def best_reranker(chosen: Mapping[str, Sequence[Choice | None]], report: Report | None) -> str | None:
    """Return the reranker whose choices pass most often, the first of equals; None where there is none."""
    if not chosen:
        return None
    counted = report.rerankers if report is not None else {}

    def figure(name: str) -> float:
        if name in counted:
            return counted[name].best_of_n.value
        return sum(each.chance for each in chosen[name] if each is not None)

    names = [name for name in chosen if name in counted] or list(chosen)
    return max(names, key=figure)
