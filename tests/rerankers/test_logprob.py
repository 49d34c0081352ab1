from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.logprob import mean_logprob, min_window_logprob, sum_logprob

VIEW = PublicView("t", "t/0", "p", "p", None, ())


def test_mean_and_sum_over_the_kept_tokens(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert mean_logprob.score(view, candidates, ctx) == [-2.0, -1.0, -0.5, -4.0, None]
    assert sum_logprob.score(view, candidates, ctx) == [-4.0, -1.0, -1.0, -4.0, None]


def test_the_lowest_window_by_hand() -> None:
    candidate = Candidate("t/0", 0, "x", logprobs=(-1.0, -2.0, -6.0, 0.0))
    for window, expected in {1: -6.0, 2: -4.0, 3: -3.0, 4: -2.25, 32: -2.25}.items():
        each = min_window_logprob.with_parameters(window=window)
        assert each.score(VIEW, [candidate], Context(VIEW)) == [expected]


@pytest.mark.parametrize("each", [mean_logprob, sum_logprob, min_window_logprob])
def test_a_candidate_without_log_probabilities_abstains(
    each: object, candidates: Sequence[Candidate]
) -> None:
    bare = [replace(candidates[0], logprobs=None), replace(candidates[0], logprobs=())]
    assert each.score(VIEW, bare, Context(VIEW)) == [None, None]  # type: ignore[attr-defined]


@given(st.lists(st.floats(-1e6, 0), min_size=1, max_size=50))
def test_the_order_of_tokens_does_not_matter(values: list[float]) -> None:
    def pair(logprobs: Sequence[float]) -> list[float | None]:
        candidate = Candidate("t/0", 0, "x", logprobs=tuple(logprobs))
        return [each.score(VIEW, [candidate], Context(VIEW))[0] for each in (mean_logprob, sum_logprob)]

    assert pair(values) == pair(values[::-1])
    mean, total = pair(values)
    assert mean is not None
    assert total is not None
    assert math.isclose(mean * len(values), total, abs_tol=1e-9)
