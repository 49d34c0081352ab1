from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError, RerankerError
from codesample.records import Candidate, PublicView
from codesample.rerankers.confidence import (
    deepconf,
    deepconf_bottom,
    deepconf_lowest,
    deepconf_tail,
    self_certainty,
)
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, reranker

VIEW = PublicView("t", "t/0", "p", "p", None, ())
ALL = (self_certainty, deepconf, deepconf_lowest, deepconf_tail, deepconf_bottom)
VALUES = st.lists(st.floats(0, 50), min_size=1, max_size=60)


def _score(reranker: Reranker, values: Sequence[float] | None) -> float | None:
    known = None if values is None else tuple(values)
    candidate = Candidate("t/0", 0, "x", certainties=known, confidences=known)
    return reranker.score(VIEW, [candidate], Context(VIEW))[0]


def test_by_hand() -> None:
    values = (4.0, 8.0, 0.0, 2.0, 6.0)
    assert _score(self_certainty, values) == _score(deepconf, values) == 4.0
    # windows of two: 6, 4, 1, 4
    assert _score(deepconf_lowest.with_parameters(window=2), values) == 1.0
    assert _score(deepconf_tail.with_parameters(window=2), values) == 4.0
    assert _score(deepconf_bottom.with_parameters(window=2, share=0.5), values) == 2.5
    assert _score(deepconf_bottom.with_parameters(window=2), values) == 1.0
    assert _score(deepconf_bottom.with_parameters(window=1, share=1.0), values) == 4.0


def test_each_reads_the_field_that_it_is_about() -> None:
    candidate = Candidate("t/0", 0, "x", certainties=(1.0,), confidences=(2.0,))
    scores = [each.score(VIEW, [candidate], Context(VIEW)) for each in ALL]
    assert scores == [[1.0], [2.0], [2.0], [2.0], [2.0]]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
@pytest.mark.parametrize("values", [None, ()])
def test_what_was_not_recorded_abstains(each: Reranker, values: tuple[float, ...] | None) -> None:
    assert _score(each, values) is None


@pytest.mark.parametrize("each", ALL[1:], ids=lambda each: each.name)
@given(values=VALUES.filter(lambda values: len(values) <= 32))
def test_a_program_within_one_window_has_its_mean(each: Reranker, values: list[float]) -> None:
    assert _score(each, values) == math.fsum(values) / len(values)


@given(VALUES, st.integers(1, 40), st.floats(0, 1))
def test_the_lowest_windows_are_those_of_brute_force(values: list[float], window: int, share: float) -> None:
    width = min(window, len(values))
    means = sorted(sum(values[at : at + width]) / width for at in range(len(values) - width + 1))
    lowest = _score(deepconf_lowest.with_parameters(window=window), values)
    bottom = _score(deepconf_bottom.with_parameters(window=window, share=share), values)
    assert lowest is not None
    assert bottom is not None
    assert math.isclose(lowest, means[0], abs_tol=1e-9)
    count = max(1, int(share * len(means) + 1e-9))
    assert math.isclose(bottom, sum(means[:count]) / count, abs_tol=1e-9)
    assert lowest <= bottom + 1e-9


def test_a_share_that_rounding_makes_smaller_counts_whole() -> None:
    values = [float(number) for number in range(100)]
    assert _score(deepconf_bottom.with_parameters(window=1, share=0.29), values) == sum(range(29)) / 29


def test_a_window_of_nothing_and_a_share_above_all_are_refused() -> None:
    with pytest.raises(
        ParameterError, match="'deepconf_lowest': window=0: expected a whole number of at least 1"
    ):
        deepconf_lowest.with_parameters(window=0)
    with pytest.raises(ParameterError, match=r"share=1\.5: expected a number of at least 0 and at most 1"):
        deepconf_bottom.with_parameters(share=1.5)


def test_the_fields_are_hidden_from_who_does_not_declare_them() -> None:
    @reranker(needs={"logprobs"}, per_candidate=True)
    def peek(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
        return candidate.confidences[0] if candidate.confidences else None

    with pytest.raises(
        RerankerError, match="read 'confidences', an ability it does not declare; add 'confidence'"
    ):
        _score(peek, (1.0,))
