"""What a composed reranker is made of: its members, and which of them put one candidate before another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from codesample.errors import ParameterError
from codesample.rerankers.expression import Chain, Expression, Filter, Named, leaves, parse

__all__ = ["Decision", "decided_by", "is_ranked", "members_of"]

_Row = Sequence[float | None]


class Decision(NamedTuple):
    """The member of a composition that put one candidate before another.

    Attributes:
        member: Its name.
        scores: What it gives the two, the one that is ahead first; None where its own scores are not known.
    """

    member: str
    scores: tuple[float | None, float | None] | None


def members_of(name: str) -> list[str]:
    """Return the names of the rerankers in a composition, each once, in their order; none of a plain one."""
    tree = _tree(name)
    return [] if isinstance(tree, Named) else list(dict.fromkeys(map(str, leaves(tree))))


def is_ranked(name: str) -> bool:
    """Tell whether scores of this name are places in an order, which say nothing by their size."""
    return isinstance(_tree(name), Chain | Filter)


def decided_by(name: str, rows: Mapping[str, _Row], ahead: int, behind: int) -> Decision | None:
    """Return which member of an ordered composition put one candidate before another.

    Args:
        name: Of the composition.
        rows: Scores of one problem's candidates by reranker, as far as they are known.
        ahead, behind: Their positions.

    Returns: None for what is not composed in order, and where that cannot be told.
    """
    tree = _tree(name)
    return _decided(tree, rows, ahead, behind) if isinstance(tree, Chain | Filter) else None


def _decided(tree: Expression, rows: Mapping[str, _Row], ahead: int, behind: int) -> Decision | None:
    if not isinstance(tree, Chain | Filter):
        row = rows.get(str(tree))
        return Decision(str(tree), None if row is None else (row[ahead], row[behind]))
    *before, last = (tree.by, tree.then) if isinstance(tree, Filter) else tree.parts
    for each in before:
        row = rows.get(str(each))
        if row is None:
            # whether it decides cannot be told, so neither can what follows
            return None
        if row[ahead] != row[behind]:
            return _decided(each, rows, ahead, behind)
    if not isinstance(tree, Filter) or len(set(rows[str(tree.by)])) == 1:
        return _decided(last, rows, ahead, behind)
    # what orders the kept ones saw them alone: its scores of all candidates may be others
    return Decision(str(last), None)


def _tree(name: str) -> Expression:
    try:
        return parse(name)
    except ParameterError:
        # a place, or a name that is no expression
        return Named(name)
