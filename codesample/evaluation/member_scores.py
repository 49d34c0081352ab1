"""What the rerankers within a composition gave: taken from a scoring, and read from a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codesample.rerankers.contract import Reranker
from codesample.rerankers.expression import leaves, parse
from codesample.runs import MemberScores, RunFolder

if TYPE_CHECKING:
    # it keeps what this module takes
    from codesample.evaluation.scoring import Pool

__all__ = ["by_index", "saved_members", "told_of_members"]


def told_of_members(
    reranker: Reranker, given: Mapping[str, Mapping[int, float | None]]
) -> dict[str, dict[int, float | None]]:
    """Return what the rerankers within a composition gave, by name and candidate's index.

    None of a plain one, and of one that names a reranker twice: that may have been asked about different
    candidates each time.

    Args:
        reranker: The composition.
        given: As `Context.given` has it.
    """
    if not reranker.parts:
        return {}
    names = [str(each) for each in leaves(parse(reranker.name))]
    if len(set(names)) < len(names):
        return {}
    return {name: dict(column) for name, column in given.items() if name != reranker.name}


def saved_members(gathered: Sequence[Pool], names: Iterable[str], run: RunFolder) -> dict[str, MemberScores]:
    """Read what the rerankers within compositions gave, by composition, by position instead of index."""
    found = {name: run.member_scores(name) for name in names}
    positions = {
        pool.problem.task_id: {each.index: at for at, each in enumerate(pool.candidates)} for pool in gathered
    }
    return {
        name: {
            task_id: {
                member: {positions[task_id][index]: score for index, score in column.items()}
                for member, column in columns.items()
            }
            for task_id, columns in by_problem.items()
            if task_id in positions
        }
        for name, by_problem in found.items()
    }


def by_index(members: Mapping[str, Mapping[Any, float | None]]) -> dict[str, dict[int, float | None]]:
    """Return what members gave by index, which is a text in what an interrupted scoring had kept."""
    return {name: {int(index): score for index, score in column.items()} for name, column in members.items()}
