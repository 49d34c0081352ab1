from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.metrics import tied_scores
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker

VIEW = PublicView("t", "t/0", "p", "p", None, ())
SCORES = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0])


def _fixed(name: str, scores: Sequence[float | None], **options: object) -> Reranker:
    return Reranker(name, lambda view, candidates, ctx: scores, **options)  # type: ignore[arg-type]


def _score(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
    candidates = [Candidate("t/0", index, "") for index in range(len(first))]
    return then(_fixed("a", first), _fixed("b", second)).score(VIEW, candidates, Context(VIEW))


def test_the_second_decides_only_between_ties_of_the_first() -> None:
    assert _score([2, 1, 2, 1], [0, 9, 5, 9]) == [1.0, 0.0, 2.0, 0.0]


def test_where_the_first_abstains_for_all_the_second_decides_alone() -> None:
    assert _score([None, None, None], [-3.0, -1.0, -1.0]) == [0.0, 1.0, 1.0]


def test_one_that_abstains_ranks_below_those_that_do_not() -> None:
    assert _score([None, -5.0, -5.0], [9.0, None, -1.0]) == [0.0, 1.0, 2.0]


def test_abstaining_everywhere_is_abstaining() -> None:
    assert _score([None, 1.0, 2.0], [None, None, None]) == [None, 0.0, 1.0]


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=8))
def test_the_order_is_that_of_the_pairs_with_ties_kept(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    def key(pair: tuple[float | None, float | None]) -> tuple[tuple[bool, float], ...]:
        return tuple((score is not None, score or 0.0) for score in pair)

    scores = _score([a for a, _ in pairs], [b for _, b in pairs])
    for one, first in zip(pairs, scores, strict=True):
        for other, second in zip(pairs, scores, strict=True):
            mine, theirs = (-1.0 if score is None else score for score in (first, second))
            assert (key(one) < key(other)) == (mine < theirs)
    assert len(tied_scores(scores, [True] * len(scores))) == len({key(pair) for pair in pairs})


def test_needs_are_joined_and_independence_is_that_of_all() -> None:
    one = _fixed("a", [], needs={"logprobs"}, independent=True)
    two = _fixed("b", [], needs={"run"})
    both = then(one, two)
    assert (both.name, both.needs, both.independent) == ("a,b", {"logprobs", "run"}, False)
    assert then(one, _fixed("c", [], independent=True)).independent


def test_the_part_that_breaks_the_contract_is_named() -> None:
    with pytest.raises(RerankerError, match="reranker 'b', problem 't/0': returned 1 scores for 2"):
        _score([1.0, 2.0], [1.0])


def test_fewer_than_two_or_the_same_twice_is_refused() -> None:
    one = _fixed("a", [])
    for given_ in ((), (one,), (one, one)):
        with pytest.raises(ParameterError, match="expected two or more different rerankers"):
            then(*given_)
