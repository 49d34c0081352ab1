"""Best-of-n says why the winner won, what ties with it and what weakens the choice."""

from __future__ import annotations

import pytest
from canned_engine import BROKEN, PROMPT, RIGHT, WRONG, Canned

from codesample import (
    EarlyStop,
    SamplingParams,
    best_of_n,
    passed,
    reranker,
)
from codesample.errors import IsolationError


def test_abstaining_and_ties_fall_to_the_lowest_index():
    @reranker
    def silent(view, candidates, ctx):
        return [None, None, 1.0, 1.0]

    assert best_of_n(Canned(WRONG), PROMPT, n=4, reranker=silent).best.index == 2


def test_the_result_says_which_examples_the_winner_gets_right():
    two = [("double(1)", "2"), ("double(3)", "6")]
    asked = {"prompt": PROMPT, "entry_point": "double", "examples": two}
    # x + 1 is right for 1 alone; the scores need no program
    half = best_of_n(Canned(WRONG, RIGHT), n=2, **asked)
    assert (half.best.index, half.examples_held, half.examples_passed) == (0, (True, False), False)
    whole = best_of_n(Canned(WRONG, RIGHT), n=2, reranker="public_examples", **asked)
    assert (whole.best.index, whole.examples_held, whole.examples_passed) == (1, (True, True), True)
    assert whole.notes == ()
    none = best_of_n(Canned(WRONG), PROMPT, n=2)
    assert (none.examples_held, none.examples_passed, none.notes) == (None, None, ())


def test_where_none_gets_the_examples_right_the_result_says_so():
    got = best_of_n(Canned(WRONG, BROKEN), PROMPT, n=4, reranker="public_examples", entry_point="double")
    assert got.examples_passed is False
    assert got.notes == ("no candidate gets all of the 1 examples right: 0 at most",)
    assert (got.best.index, got.tied, got.decided_by) == (0, (1, 2, 3), None)


def test_examples_that_cannot_be_run_cost_no_choice(monkeypatch):
    def refuse(run):
        raise IsolationError("nothing is isolated here")

    monkeypatch.setattr("codesample.evaluation.best_of_n.open_judge", refuse)
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=2, entry_point="double")
    assert (got.best.index, got.examples_passed) == (0, None)
    assert got.notes == ("the examples could not be run: nothing is isolated here",)


def test_a_chain_shows_the_scores_of_its_parts_and_which_of_them_decided():
    engine = Canned(WRONG, RIGHT, RIGHT, BROKEN)
    got = best_of_n(engine, PROMPT, n=4, reranker="public_examples > mean_logprob", entry_point="double")
    assert got.best.index == 1
    assert got.scores == {
        "public_examples": (0.0, 1.0, 1.0, 0.0),
        "mean_logprob": pytest.approx((-0.1, -0.2, -0.3, -0.4)),
    }
    assert (got.decided_by, got.tied, got.examples_passed) == ("mean_logprob", (), True)
    assert got.why == (
        "public_examples 1 is the highest of 4, shared by 2; "
        "of these mean_logprob -0.2 is the highest of 2, next -0.3"
    )


def test_equal_programs_tie_and_the_lowest_index_wins():
    got = best_of_n(Canned(WRONG, RIGHT), PROMPT, n=6, reranker="public_examples", entry_point="double")
    assert (got.best.index, got.tied, got.decided_by) == (1, (3, 5), "public_examples")
    assert got.why == (
        "public_examples 1 is the highest of 6, shared by 3; 1 is the lowest index of 3 that tie (3, 5)"
    )


def test_an_early_stop_is_part_of_the_reason():
    engine = Canned(WRONG, RIGHT)
    got = best_of_n(engine, PROMPT, n=20, entry_point="double", until=EarlyStop(passed, every=4))
    assert got.why == (
        "2 of the first 4 candidates, of 20, were good enough to stop at; "
        "mean_logprob -0.2 is the highest of 2, next -0.4"
    )
    never = best_of_n(Canned(WRONG), PROMPT, n=4, entry_point="double", until=passed)
    assert never.notes == ("no candidate was good enough to stop at: all 4 were drawn",)


def test_where_all_abstain_the_first_is_chosen_and_the_result_says_so():
    @reranker
    def silent(view, candidates, ctx):
        return [None] * len(candidates)

    got = best_of_n(Canned(WRONG), PROMPT, n=3, reranker=silent)
    assert (got.best.index, got.tied, got.decided_by) == (0, (1, 2), None)
    assert got.why == "silent abstains on all 3; 0 is the lowest index of 3 that tie (1, 2)"
    assert got.scores == {"silent": (None, None, None)}


def test_without_chance_one_candidate_is_drawn_and_the_result_says_so():
    engine = Canned(RIGHT)
    got = best_of_n(engine, PROMPT, n=32, params=SamplingParams(temperature=0))
    assert engine.asked == [0]
    assert (len(got.candidates), got.not_drawn) == (1, 31)
    assert got.notes == ("temperature 0 draws equal candidates: 1 was drawn instead of 32",)
    assert got.why == "it is the only one to choose"
    # one that was asked for is no less than that
    assert best_of_n(engine, PROMPT, n=1, params=SamplingParams(temperature=0)).notes == ()


def test_what_a_reranker_notes_is_passed_on():
    @reranker
    def doubtful(view, candidates, ctx):
        for _ in candidates:
            ctx.note("no grade")
        return [0.0] * len(candidates)

    assert best_of_n(Canned(WRONG), PROMPT, n=2, reranker=doubtful).notes == ("doubtful: no grade (2 times)",)
