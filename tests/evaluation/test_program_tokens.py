"""Tokens that rerankers see: equal programs are not told apart by the rounding of their batches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codesample.evaluation.program_tokens import of_programs
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.logprob import mean_logprob

# "a program" in the midst of prose: three tokens of two characters, of which the middle one is the program
FIRST = Candidate(
    "t/0",
    0,
    "abcdef",
    token_ids=(1, 2, 3),
    token_ends=(2, 4, 6),
    spans=((2, 4),),
    logprobs=(-0.5, -0.25, -1.0),
    sampled_logprobs=(-0.4, -0.2, -0.9),
    certainties=(3.0, 4.0, 5.0),
    confidences=(6.0, 7.0, 8.0),
)
NOISE = 1e-5


def noisy(index: int, **changes: object) -> Candidate:
    shifted = {
        name: tuple(each + NOISE * (index + at) for at, each in enumerate(getattr(FIRST, name)))
        for name in ("logprobs", "sampled_logprobs", "certainties", "confidences")
    }
    return replace(FIRST, index=index, **(shifted | changes))  # type: ignore[arg-type]


def test_equal_tokens_have_the_numbers_of_the_lowest_index_wherever_they_stand() -> None:
    given = [noisy(3), FIRST, noisy(2)]
    found = of_programs(given)
    assert [each.index for each in found] == [3, 0, 2]
    for each in found:
        assert (each.token_ids, each.logprobs, each.sampled_logprobs) == ((2,), (-0.25,), (-0.2,))
        assert (each.certainties, each.confidences) == ((4.0,), (7.0,))


def test_what_follows_the_program_does_not_matter_and_what_goes_before_does() -> None:
    after = noisy(1, token_ids=(1, 2, 9))
    before = noisy(2, token_ids=(9, 2, 3))
    other_part = noisy(3, spans=((2, 6),))
    found = of_programs([FIRST, after, before, other_part])
    assert found[1].logprobs == found[0].logprobs == (-0.25,)
    assert found[2].logprobs == before.within(before.spans).logprobs != found[0].logprobs
    assert found[3].logprobs == other_part.within(other_part.spans).logprobs


def test_what_has_no_tokens_or_no_numbers_stays_as_it_is() -> None:
    text = Candidate("t/0", 4, "abcdef")
    bare = replace(FIRST, index=5, logprobs=None, sampled_logprobs=None, certainties=None, confidences=None)
    assert of_programs([text, bare]) == [text, bare.within(bare.spans)]
    assert of_programs([bare, noisy(6)])[1].logprobs == noisy(6).within(FIRST.spans).logprobs
    assert of_programs([]) == []


def test_numbers_that_differ_by_more_than_rounding_are_each_ones_own() -> None:
    far = noisy(1, logprobs=(-0.5, -0.35, -1.0))
    assert [each.logprobs for each in of_programs([FIRST, far, noisy(2)])] == [(-0.25,), (-0.35,), (-0.25,)]


@pytest.mark.parametrize("shown", [lambda given: given, of_programs], ids=["drawn", "shown"])
def test_they_tie_under_log_probability_as_rerankers_see_them(shown) -> None:
    view = PublicView("t", "t/0", "def f():\n", "", "f", ())
    scores = mean_logprob.score(view, shown([FIRST, noisy(1), noisy(2)]), Context(view))
    assert (len(set(scores)) == 1) == (shown is of_programs)
