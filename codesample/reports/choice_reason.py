"""Why a reranker chooses what it does on one problem, in words for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.evaluation.abstaining import why_abstained
from codesample.evaluation.members import decided_by, members_of
from codesample.evaluation.picks import Pick, order_of
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool

__all__ = ["choice_reason", "members_text", "score_text"]


def score_text(score: float | None) -> str:
    """Return a score in few digits."""
    return "abstains" if score is None else f"{score:.5g}"


def choice_reason(contents: RunContents, pool: Pool, name: str, pick: Pick) -> str:
    """Return what is to be said behind a first choice: why it is one, or why nothing was preferred.

    Args:
        name: Of the reranker, whose scores the run has.
        pick: Its first choice among the pool's candidates.

    Returns: the rest of a sentence, or "".
    """
    task_id = pool.problem.task_id
    scores = contents.scores[name][task_id]
    if all(scores[at] is None for at in pool.graded):
        why = why_abstained(name, pool.problem)
        return f": it gave no scores{f', for {why}' if why else ''}"
    ahead = next(at for at in pool.graded if pool.candidates[at].index in pick.indices)
    behind = _next(pool, scores, ahead)
    if behind is None:
        return ""
    rows = {each: column[task_id] for each, column in contents.scores.items()}
    decision = decided_by(name, rows, ahead, behind)
    if decision is None:
        return ""
    if decision.scores is None:
        return f"; decided by {decision.member}"
    first, second = map(score_text, decision.scores)
    return (
        f"; decided by {decision.member}: {first}, next candidate {pool.candidates[behind].index}: {second}"
    )


def members_text(contents: RunContents, task_id: str, at: int, name: str) -> str:
    """Return what the members of a composition gave a candidate, as far as the run has it; "" for others."""
    found = [
        f"{each} {score_text(contents.scores[each][task_id][at])}"
        for each in members_of(name)
        if each in contents.scores
    ]
    return ", ".join(found)


def _next(pool: Pool, scores: Sequence[float | None], ahead: int) -> int | None:
    """Return the position of the best graded candidate with a lower score; None where all have the same."""
    lower = [at for at in pool.graded if order_of(scores[at]) < order_of(scores[ahead])]
    return max(lower, key=lambda at: (order_of(scores[at]), -at), default=None)
