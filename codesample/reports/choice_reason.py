"""Why a reranker chooses what it does on one problem, in words for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesample.evaluation.abstaining import silent_members, why_abstained
from codesample.evaluation.members import (
    Decision,
    MembersGave,
    decided_by,
    is_ranked,
    keeps_some,
    left_out_by,
    members_of,
)
from codesample.evaluation.picks import Pick, order_of
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool

__all__ = ["choice_reason", "is_lost", "left_out_text", "lost_reason", "members_text", "score_text"]


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
    if is_lost(pick):
        return f"; {lost_reason(contents, pool, name, pick)}"
    ahead = next(at for at in pool.graded if pool.candidates[at].index in pick.indices)
    behind = _next(pool, scores, ahead)
    if behind is None:
        return ""
    decision = _decision(contents, task_id, name, ahead, behind)
    if decision is None:
        return ""
    rival = f"next candidate {pool.candidates[behind].index}"
    return f"; {_silent(contents, pool, name)}{_decided(decision, rival)}"


def is_lost(pick: Pick | None) -> bool:
    """Tell whether a first choice surely fails where another candidate passes."""
    return pick is not None and not pick.passed and pick.passing is not None


def lost_reason(contents: RunContents, pool: Pool, name: str, pick: Pick) -> str:
    """Say why a first choice that `is_lost` came before the best-scored candidate that passes.

    Returns: what decided, by which numbers, and that one's place.
    """
    assert pick.passing is not None
    task_id, number = pool.problem.task_id, pool.candidates[pick.passing].index
    rival = f"candidate {number}, the best that passes and in place {pick.rank}"
    decision = _decision(contents, task_id, name, pick.shown, pick.passing)
    silent = _silent(contents, pool, name)
    if decision is not None:
        return f"{silent}{_decided(decision, rival)}"
    if is_ranked(name):
        return f"{silent}before {rival}"
    own, other = _apart(pick.score, pick.passing_score)
    return f"score {own}, {rival}: {other}"


def _decision(contents: RunContents, task_id: str, name: str, ahead: int, behind: int) -> Decision | None:
    rows = {each: column[task_id] for each, column in contents.scores.items()}
    return decided_by(name, rows, ahead, behind, gave=_gave(contents, task_id, name))


def _gave(contents: RunContents, task_id: str, name: str) -> MembersGave | None:
    return contents.members.get(name, {}).get(task_id)


def _silent(contents: RunContents, pool: Pool, name: str) -> str:
    """Say which members of a composition gave nobody a score, and why: "a gave no scores, for ...; "."""
    task_id = pool.problem.task_id
    known = _gave(contents, task_id, name) or {
        each: dict(enumerate(column[task_id])) for each, column in contents.scores.items()
    }
    silent = silent_members(name, known, pool.problem)
    return "".join(f"{each} gave no scores{f', for {why}' if why else ''}; " for each, why in silent)


def left_out_text(contents: RunContents, task_id: str, at: Iterable[int], name: str) -> str:
    """Say which filters left some candidates out; "" unless all of them were, and it is known.

    Args:
        at: Their positions.
        name: Of the composition.
    """
    left = left_out_by(name, _gave(contents, task_id, name) or {})
    by = [left.get(each, "") for each in at]
    return f"left out by {' or '.join(dict.fromkeys(by))}" if all(by) else ""


def _decided(decision: Decision, rival: str) -> str:
    """Say which member decided, among whom, and what it gave the choice and a rival."""
    said = f"decided by {decision.member}"
    for each in decision.kept[-1:]:
        said += f" among the {each.kept} of {each.of} that {each.by} kept"
    if decision.scores is None:
        return f"{said}, before {rival}; what it gave among these is not kept, score again to see it"
    first, second = _apart(*decision.scores)
    return f"{said}: {first}, {rival}: {second}"


def _apart(first: float | None, second: float | None) -> tuple[str, str]:
    """Return two scores in few digits, or in as many as tell them apart."""
    shown = (score_text(first), score_text(second))
    if shown[0] == shown[1] and first is not None and second is not None and first != second:
        return repr(first), repr(second)
    return shown


def members_text(contents: RunContents, task_id: str, at: int, name: str) -> str:
    """Return what the members of a composition gave a candidate, as far as the run has it; "" for others.

    Where it is not known what they gave within the composition, and some may not have seen all candidates,
    the text says that it tells of all.
    """
    if (gave := _gave(contents, task_id, name)) is not None:
        total = len(contents.scores[name][task_id])
        told = []
        for each in members_of(name):
            if column := gave.get(each):
                among = f" among the {len(column)} kept" if len(column) < total else ""
                said = f"{score_text(column[at])}{among}" if at in column else "was not asked"
                told.append(f"{each} {said}")
        return ", ".join(told)
    rows = {each: contents.scores[each][task_id] for each in members_of(name) if each in contents.scores}
    text = ", ".join(f"{each} {score_text(row[at])}" for each, row in rows.items())
    count = max(map(len, rows.values()), default=0)
    return f"{text} (each over all {count}, not as it was asked here)" if text and keeps_some(name) else text


def _next(pool: Pool, scores: Sequence[float | None], ahead: int) -> int | None:
    """Return the position of the best graded candidate with a lower score; None where all have the same."""
    lower = [at for at in pool.graded if order_of(scores[at]) < order_of(scores[ahead])]
    return max(lower, key=lambda at: (order_of(scores[at]), -at), default=None)
