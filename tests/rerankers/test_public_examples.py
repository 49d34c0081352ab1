from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from codesample.errors import RerankerError
from codesample.records import Candidate, Example, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.public_examples import public_examples
from codesample.testing.rerankers import TrustedChecks


def test_the_score_is_how_many_examples_hold(
    view: PublicView, candidates: Sequence[Candidate], ctx: Context
) -> None:
    assert public_examples.score(view, candidates, ctx) == [2.0, 2.0, 1.0, 0.0, 0.0]


def test_without_examples_everyone_abstains_and_nothing_runs(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    bare = replace(view, examples=())
    assert public_examples.score(bare, candidates, Context(bare, checks=checks)) == [None] * 5
    assert checks.runs == []


def test_calls_and_values_of_any_shape_stay_one_comparison(
    view: PublicView, candidates: Sequence[Candidate], checks: TrustedChecks
) -> None:
    odd = replace(view, examples=(Example("f(1) or 5", "2,\n"), Example("f(1)", "2 if True else 3")))
    assert public_examples.score(odd, candidates[:1], Context(odd, checks=checks)) == [1.0]


def test_a_run_that_executes_nothing_is_an_error(view: PublicView, candidates: Sequence[Candidate]) -> None:
    with pytest.raises(
        RerankerError, match="'public_examples', problem 't/0': this run executes no programs"
    ):
        public_examples.score(view, candidates, Context(view))
