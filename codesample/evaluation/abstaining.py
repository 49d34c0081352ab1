"""Why a reranker gave no candidate of a problem a score, as far as the problem tells."""

from __future__ import annotations

from collections.abc import Callable

from codesample.evaluation.members import MembersGave, members_of
from codesample.records import Problem

__all__ = ["silent_members", "why_abstained"]

_NO_EXAMPLE = "its prompt shows no example that could be read"
_NOTHING_RETURNED = "no program returned anything on the inputs that were made"
_NOTHING_TO_CALL = "its prompt names no function and shows no example"

_REASONS: dict[str, Callable[[Problem], str]] = {
    "public_examples": lambda problem: "" if problem.examples else _NO_EXAMPLE,
    "executable": lambda problem: "" if problem.examples or problem.entry_point else _NOTHING_TO_CALL,
    "largest_cluster": lambda problem: _NOTHING_RETURNED,
    "mbr_exec": lambda problem: _NOTHING_RETURNED,
}


def why_abstained(reranker: str, problem: Problem) -> str:
    """Return why, as a part of a sentence; "" where that is not known.

    Args:
        reranker: Its name; of a composition, all members must have abstained.
        problem: On which it gave no candidate a score.
    """
    names = members_of(reranker) or [reranker]
    found = [_REASONS[name](problem) for name in names if name in _REASONS]
    return "; ".join(dict.fromkeys(filter(None, found)))


def silent_members(reranker: str, gave: MembersGave, problem: Problem) -> list[tuple[str, str]]:
    """Return which members of a composition gave nobody a score whom they were asked about, and why.

    Args:
        reranker: Name of the composition.
        gave: What its members gave the problem's candidates, as far as it is known.
        problem: Of which they are.

    Returns: names in the composition's order, each with a part of a sentence; "" where that is not known.
    """
    return [
        (name, why_abstained(name, problem))
        for name in members_of(reranker)
        if gave.get(name) and all(score is None for score in gave[name].values())
    ]
