"""What a composed reranker is made of: its members, and which of them put one candidate before another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from codesample.errors import ParameterError
from codesample.rerankers.expression import Chain, Expression, Filter, Named, Weighted, Within, leaves, parse

__all__ = [
    "Decision",
    "Kept",
    "MembersGave",
    "decided_by",
    "is_ranked",
    "keeps_some",
    "left_out_by",
    "members_of",
]

_Row = Sequence[float | None]

MembersGave = Mapping[str, Mapping[int, float | None]]
"""What the rerankers within a composition gave one problem's candidates, by name and position.

Candidates that one was not asked about are left out.
"""


class Kept(NamedTuple):
    """What a filter left to those behind it: `kept` candidates of `of`."""

    by: str
    kept: int
    of: int


class Decision(NamedTuple):
    """The member of a composition that put one candidate before another.

    Attributes:
        member: Its name.
        scores: What it gave the two when that was decided, the one ahead first; None where nobody knows.
        kept: The filters before it that left some candidates out, so that it did not see them, in order.
    """

    member: str
    scores: tuple[float | None, float | None] | None
    kept: tuple[Kept, ...] = ()


def members_of(name: str) -> list[str]:
    """Return the names of the rerankers in a composition, each once, in their order; none of a plain one."""
    tree = _tree(name)
    return [] if isinstance(tree, Named) else list(dict.fromkeys(map(str, leaves(tree))))


def is_ranked(name: str) -> bool:
    """Tell whether scores of this name are places in an order, which say nothing by their size."""
    return isinstance(_tree(name), Chain | Filter)


def keeps_some(name: str) -> bool:
    """Tell whether some members of a composition see only what others keep."""
    return any(isinstance(each, Filter) for each in _within(_tree(name)))


def decided_by(
    name: str, rows: Mapping[str, _Row], ahead: int, behind: int, *, gave: MembersGave | None = None
) -> Decision | None:
    """Return which member of an ordered composition put one candidate before another.

    Args:
        name: Of the composition.
        rows: Scores of one problem's candidates by reranker, as far as they are known.
        ahead, behind: Their positions.
        gave: What the members gave within the composition; else `rows` tell, which only hold for members
            that saw all candidates.

    Returns: None for what is not composed in order, and where that cannot be told.
    """
    tree = _tree(name)
    if not isinstance(tree, Chain | Filter):
        return None
    known = gave or {each: dict(enumerate(row)) for each, row in rows.items()}
    return _decided(tree, known, (ahead, behind), (), exact=bool(gave))


def left_out_by(name: str, gave: MembersGave) -> dict[int, str]:
    """Return which filter of a composition left candidates out, by their positions.

    Args:
        name: Of the composition.
        gave: What its members gave one problem's candidates: whom nobody behind a filter was asked about,
            that one left out.

    Returns: only those without a place in the whole order; none where what somebody gave is not known.
    """
    tree, found = _tree(name), dict[int, str]()
    while isinstance(tree, Filter):
        if not all(str(each) in gave for each in leaves(tree)):
            return {}
        found |= dict.fromkeys(sorted(_asked(tree.by, gave) - _asked(tree.then, gave)), str(tree.by))
        tree = tree.then
    return found


def _asked(tree: Expression, gave: MembersGave) -> set[int]:
    return set[int]().union(*(gave[str(each)] for each in leaves(tree)))


def _decided(
    tree: Expression, known: MembersGave, pair: tuple[int, int], kept: tuple[Kept, ...], *, exact: bool
) -> Decision | None:
    if not isinstance(tree, Chain | Filter):
        return Decision(str(tree), _both(known, str(tree), pair), kept)
    *before, last = (tree.by, tree.then) if isinstance(tree, Filter) else tree.parts
    for each in before:
        both = _both(known, str(each), pair)
        if both is None:
            # whether it decides cannot be told, so neither can what follows
            return None
        if both[0] != both[1]:
            return _decided(each, known, pair, kept, exact=exact)
    if isinstance(tree, Filter):
        scores = known[str(tree.by)].values()
        left = sum(score == known[str(tree.by)][pair[0]] for score in scores)
        if left < len(scores):
            kept = (*kept, Kept(str(tree.by), left, len(scores)))
            if not exact:
                # what orders the kept ones saw them alone: its scores of all candidates may be others
                return Decision(str(last), None, kept)
    return _decided(last, known, pair, kept, exact=exact)


def _both(known: MembersGave, name: str, pair: tuple[int, int]) -> tuple[float | None, float | None] | None:
    column = known.get(name)
    return None if column is None else (column.get(pair[0]), column.get(pair[1]))


def _within(tree: Expression) -> Iterator[Expression]:
    yield tree
    match tree:
        case Chain():
            inner: Sequence[Expression] = tree.parts
        case Filter():
            inner = (tree.by, tree.then)
        case Weighted():
            inner = [term for _, term in tree.terms]
        case Within():
            inner = (tree.of,)
        case Named():
            inner = ()
    for each in inner:
        yield from _within(each)


def _tree(name: str) -> Expression:
    try:
        return parse(name)
    except ParameterError:
        # a place, or a name that is no expression
        return Named(name)
