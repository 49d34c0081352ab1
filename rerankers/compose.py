"""Rerankers made of rerankers: in order, as a weighted sum, or one over what another one keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import ListScorer, Reranker
from codesample.rerankers.expression import Chain, Expression, Filter, Named, Weighted, Within, parse

__all__ = ["filtered", "then", "weighted", "within"]

_Scores = Sequence[float | None]


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
        return _dense([each.score(view, candidates, ctx) for each in rerankers])

    score.__doc__ = "Order by " + ", ties by ".join(names) + "."
    independent = all(each.independent for each in rerankers)
    return _made(Chain(tuple(map(_tree, rerankers))), score, rerankers, independent=independent)


def weighted(*terms: tuple[float, Reranker]) -> Reranker:
    """Add up scores, each times its weight; give z-scores or ranks (`within`) to what has another scale.

    A candidate that abstains under a term counts there as the worst one that does not; a term under which
    all abstain adds nothing; one that abstains under all terms abstains.

    Args:
        terms: Weight and reranker; a negative weight turns its order round.

    Raises:
        ParameterError: no term, or a weight that is not finite, or 0, by which nothing counts.
    """
    if not terms or not all(weight and math.isfinite(weight) for weight, _ in terms):
        raise ParameterError(
            f"weighted{terms!r}: expected at least one pair of a finite weight other than 0 and a reranker"
        )

    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        columns = [
            [None if value is None else weight * value for value in each.score(view, candidates, ctx)]
            for weight, each in terms
        ]
        filled = [_with_worst(column) for column in columns]
        return [
            None if all(value is None for value in given) else math.fsum(values)
            for given, values in zip(zip(*columns, strict=True), zip(*filled, strict=True), strict=True)
        ]

    tree = Weighted(tuple((float(weight), _tree(each)) for weight, each in terms))
    score.__doc__ = f"Add up {tree}."
    parts = [each for _, each in terms]
    # the worst score, which stands in for one that is missing, depends on the others
    return _made(tree, score, parts, independent=len(parts) == 1 and parts[0].independent)


def within(kind: Literal["z", "rank"], reranker: Reranker) -> Reranker:
    """Put scores on a scale that the problem's candidates make; who abstains goes on abstaining.

    Args:
        kind: "z": how many standard deviations (of all candidates that do not abstain) above their mean; 0
            where all are equal. "rank": the share of the others that are lower, those that tie by half;
            0.5 for a lone one.
        reranker: Whose scores.

    Raises:
        ParameterError: another `kind`.
    """
    scales: dict[str, Callable[[list[float]], list[float]]] = {"z": _z_scores, "rank": _ranks}
    if kind not in scales:
        raise ParameterError(f"within({kind!r}, ...): expected z or rank")

    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        given = reranker.score(view, candidates, ctx)
        scaled = iter(scales[kind]([value for value in given if value is not None]))
        return [None if value is None else next(scaled) for value in given]

    tree = Within(kind, _tree(reranker))
    score.__doc__ = f"Score by {tree}: {reranker.name} as seen within the problem."
    return _made(tree, score, [reranker])


def filtered(by: Reranker, chosen: Reranker) -> Reranker:
    """Keep the candidates with the best score under one reranker, and order those by another.

    The second one sees only what is kept, and all others abstain. Where everybody has the same score, or
    abstains, everybody is kept. Scores are dense ranks; of the kept, one that abstains under the second
    gets the lowest.

    Args:
        by: Such as `public_examples` or `executable`.
        chosen: Orders what is kept.

    Raises:
        ParameterError: the same reranker twice.
    """
    if by.name == chosen.name:
        raise ParameterError(f"{by.name} | {chosen.name}: expected two different rerankers")

    def score(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        given = by.score(view, candidates, ctx)
        best = max((value for value in given if value is not None), default=None)
        kept = [at for at, value in enumerate(given) if value == best]
        order = chosen.score(view, [candidates[at] for at in kept], ctx)
        # beside those that were left out, abstaining would be no better than they are
        marks: _Scores = [0.0 if len(kept) < len(given) else None] * len(kept)
        ranks = dict(zip(kept, _dense([marks, order]), strict=True))
        return [ranks.get(at) for at in range(len(given))]

    tree = Filter(_tree(by), _tree(chosen))
    score.__doc__ = f"Keep the best by {by.name}, and order them by {chosen.name}."
    return _made(tree, score, [by, chosen])


def _made(
    tree: Expression, score: ListScorer, parts: Sequence[Reranker], *, independent: bool = False
) -> Reranker:
    needs = frozenset[str]().union(*(each.needs for each in parts))
    return Reranker(str(tree), score, needs=needs, independent=independent, parts=parts)


def _tree(reranker: Reranker) -> Expression:
    """Return a name as what it says, so that it is put in brackets where that is needed."""
    try:
        return parse(reranker.name)
    except ParameterError:
        # a plain name that would be read as a number, say
        return Named(reranker.name)


def _dense(columns: Sequence[_Scores]) -> list[float | None]:
    """Rank rows of scores: 0 for the lowest group; None, which is below every number, where all are None."""
    keys = [tuple((value is not None, value or 0.0) for value in row) for row in zip(*columns, strict=True)]
    nothing = ((False, 0.0),) * len(columns)
    rank = {key: float(position) for position, key in enumerate(sorted(set(keys) - {nothing}))}
    return [rank.get(key) for key in keys]


def _with_worst(column: _Scores) -> list[float]:
    worst = min((value for value in column if value is not None), default=0.0)
    return [worst if value is None else value for value in column]


def _z_scores(values: list[float]) -> list[float]:
    # where all are equal, their mean may be off by a rounding, and so would be the deviation
    if not values or min(values) == max(values):
        return [0.0] * len(values)
    # no sum or square of what is at most 1 in size overflows or vanishes
    size = max(map(abs, values))
    scaled = [value / size for value in values]
    mean = math.fsum(scaled) / len(scaled)
    away = [value - mean for value in scaled]
    deviation = math.sqrt(math.fsum(value * value for value in away) / len(away))
    return [value / deviation for value in away] if deviation else [0.0] * len(values)


def _ranks(values: list[float]) -> list[float]:
    if len(values) < 2:
        return [0.5] * len(values)
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered)))}
    last = {value: at for at, value in enumerate(ordered)}
    return [(first[value] + last[value]) / 2 / (len(values) - 1) for value in values]
