"""Why a candidate was chosen: which reranker decided, by what score, and whom the choice ties with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from codesample.rerankers.contract import Reranker
from codesample.rerankers.expression import Chain, Filter, parse

__all__ = ["Choice", "Given", "chosen", "links", "partly_abstaining", "scores_as_given"]

Given = Mapping[str, Mapping[int, float | None]]
"""Scores by reranker and index, as `Context.noted` holds them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One candidate, put before others.

    Attributes:
        index: Which one.
        tied: Indices of the others that nothing tells from it, ascending; it is the lowest of all.
        decided_by: Name of the reranker that was the last to tell candidates apart; None where none did.
        why: The same as a sentence, with scores.
    """

    index: int
    tied: tuple[int, ...]
    decided_by: str | None
    why: str


def links(reranker: Reranker) -> tuple[str, ...]:
    """Return the names of the rerankers that decide one after another, each among what the last one left.

    Those of a chain and of a filter; any other reranker is one alone.
    """
    if _gives_ranks(reranker):
        return tuple(name for part in reranker.parts for name in links(part))
    return (reranker.name,)


def chosen(reranker: Reranker, given: Given, scores: Mapping[int, float | None]) -> Choice:
    """Choose the candidate with the highest score, the lowest index of equal ones, and say why.

    Args:
        reranker: Whose scores they are.
        given: What it and its parts gave.
        scores: By index, of the candidates to choose among; at least one.
    """
    best = _best(scores)
    first, *others = sorted(index for index, score in scores.items() if score == best)
    left, steps, decided_by = sorted(scores), [], None
    for name in links(reranker):
        column = {index: given.get(name, {}).get(index) for index in left}
        top = _best(column)
        kept = [index for index in left if column[index] == top]
        if len(left) > 1:
            steps.append(_step(name, column, kept))
        if len(kept) < len(left):
            left, decided_by = kept, name
    if left != [first, *others]:
        # a filter's first choice is not among these, and no link alone tells them apart as it does
        steps, decided_by = [f"{reranker.name} puts it first of {len(scores)}"], reranker.name
    return Choice(first, tuple(others), decided_by, _sentence(steps, first, others))


def scores_as_given(
    reranker: Reranker, given: Given, indices: Sequence[int]
) -> dict[str, tuple[float | None, ...]]:
    """Return the scores of every reranker that was asked, in the order of `indices`, but for mere ranks.

    Args:
        reranker: The one that chose.
        given: As `Context.given`.
        indices: Of the candidates; one that a reranker was not asked about has None.
    """
    ranks = set(_giving_ranks(reranker))
    return {
        name: tuple(scores.get(index) for index in indices)
        for name, scores in given.items()
        if name not in ranks
    }


def partly_abstaining(reranker: Reranker, given: Given) -> list[str]:
    """Say which of the deciding rerankers abstained on some of the candidates and not on others."""
    said = []
    for name in links(reranker):
        scores = list(given.get(name, {}).values())
        if 0 < scores.count(None) < len(scores):
            said.append(
                f"{name} abstained on {scores.count(None)} of {len(scores)}, which rank last under it"
            )
    return said


def _gives_ranks(reranker: Reranker) -> bool:
    return bool(reranker.parts) and isinstance(parse(reranker.name), Chain | Filter)


def _giving_ranks(reranker: Reranker) -> Iterator[str]:
    if _gives_ranks(reranker):
        yield reranker.name
    for part in reranker.parts:
        yield from _giving_ranks(part)


def _best(column: Mapping[int, float | None]) -> float | None:
    """Return the highest score; None where all abstain."""
    return max((score for score in column.values() if score is not None), default=None)


def _step(name: str, column: Mapping[int, float | None], kept: Sequence[int]) -> str:
    top, of = column[kept[0]], len(column)
    if top is None:
        return f"{name} abstains on all {of}"
    if len(kept) == of:
        return f"{name} {top:.4g} for all {of}"
    if len(kept) > 1:
        return f"{name} {top:.4g} is the highest of {of}, shared by {len(kept)}"
    lower = [score for score in column.values() if score is not None and score < top]
    if not lower:
        return f"{name} {top:.4g} is the highest of {of}, where the others abstain"
    shown, behind = _told_apart(top, max(lower))
    return f"{name} {shown} is the highest of {of}, next {behind}"


def _told_apart(first: float, second: float) -> tuple[str, str]:
    """Return two different numbers with as many digits as it takes to see that they are."""
    for digits in range(4, 17):
        shown = (f"{first:.{digits}g}", f"{second:.{digits}g}")
        if shown[0] != shown[1]:
            return shown
    return repr(first), repr(second)


def _sentence(steps: Sequence[str], first: int, others: Sequence[int]) -> str:
    if not steps:
        return "it is the only one to choose"
    text = "; of these ".join(steps)
    if others:
        shown = ", ".join(map(str, others[:5])) + (", ..." if len(others) > 5 else "")
        text += f"; {first} is the lowest index of {len(others) + 1} that tie ({shown})"
    return text
