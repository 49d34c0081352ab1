"""Rerankers made of rerankers: the first decides, and each further one decides between its ties."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker

__all__ = ["then"]

_ABSTAINED = (False, 0.0)


def then(*rerankers: Reranker) -> Reranker:
    """Order by the first reranker, its ties by the second, and so on.

    Candidates that tie under all of them tie; one that abstains under one of them ranks below those that
    do not, there; one that abstains under all abstains. Scores are dense ranks: 0 for the lowest group.

    Raises:
        ParameterError: fewer than two rerankers, or the same one twice.
    """
    names = [each.name for each in rerankers]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ParameterError(f"then({', '.join(names)}): expected two or more different rerankers")

    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        columns = [each.score(view, candidates, ctx) for each in rerankers]
        keys = [tuple(map(_key, row)) for row in zip(*columns, strict=True)]
        nothing = (_ABSTAINED,) * len(rerankers)
        ranked = sorted(set(keys) - {nothing})
        rank = {key: float(position) for position, key in enumerate(ranked)}
        return [rank.get(key) for key in keys]

    score.__doc__ = "Order by " + ", ties by ".join(names) + "."
    return Reranker(
        ",".join(names),
        score,
        needs=frozenset().union(*(each.needs for each in rerankers)),
        independent=all(each.independent for each in rerankers),
    )


def _key(score: float | None) -> tuple[bool, float]:
    return _ABSTAINED if score is None else (True, score)
