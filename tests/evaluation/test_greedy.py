"""A run of temperature 0 beside a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import RunFolderError
from codesample.evaluation.choice_figures import bounds
from codesample.evaluation.greedy import with_greedy
from codesample.evaluation.report import Report, Seconds
from codesample.records import SamplingParams

COLD = SamplingParams(temperature=0.0)
MARKS = {1: "1100", 2: "0001", 3: "0000", 5: "---"}


@pytest.fixture
def run(made_contents):
    return made_contents(MARKS)


@pytest.fixture
def report(run) -> Report:
    around = bounds([pool for pool in run.pools if pool.graded])
    return Report(
        task="adding",
        model="scripted",
        problems=3,
        n=4,
        n_max=4,
        samples=15,
        pass_at_k={},
        rerankers={},
        random=around.random,
        oracle=around.oracle,
        seconds=Seconds(0.0, 0.0, 0.0),
        tokens=0,
        tokens_per_second=None,
        statuses={},
        isolation="none",
        notices=("said before",),
        run=Path("run"),
    )


def test_greedy_stands_on_the_same_problems(report: Report, run, made_contents) -> None:
    # of a problem without a grade here nothing counts there
    cold = made_contents({1: "1", 2: "1", 3: "0", 5: "1"}, params=COLD, path="cold")
    got = with_greedy(report, run, cold)
    assert got.greedy.run == "cold"
    assert got.greedy.pass_at_1.value == pytest.approx(2 / 3)
    assert got.greedy.over_random.difference.value == pytest.approx((0.5 + 0.75) / 3)
    assert (got.greedy.over_random.won, got.greedy.over_random.tied) == (2, 1)
    assert got.notices == ("said before",)
    assert Report.from_json(got.as_json(), run=got.run) == got


def test_another_form_of_prompts_is_said(report: Report, run, made_contents) -> None:
    chat = {"style": "chat", "version": "1", "system": None, "prefill": ""}
    cold = made_contents({1: "1", 2: "1", 3: "0"}, params=COLD, path="cold", prompt=chat)
    assert "in another form" in with_greedy(report, run, cold).notices[-1]


def test_recorded_samples_one_of_each_problem_are_taken_with_a_word_of_it(
    report: Report, run, made_contents
) -> None:
    recorded = ({"model": {"reproducibility": "recorded"}},)
    one = made_contents({1: "1", 2: "1", 3: "0"}, path="theirs", model="theirs.jsonl", sessions=recorded)
    got = with_greedy(report, run, one)
    assert got.greedy.pass_at_1.value == pytest.approx(2 / 3)
    assert got.notices[-1].startswith("theirs holds recorded samples, taken as greedy")
    several = made_contents({1: "11", 2: "1", 3: "0"}, path="theirs", sessions=recorded)
    with pytest.raises(RunFolderError, match="theirs: holds recorded samples, several of a problem"):
        with_greedy(report, run, several)


def test_what_is_no_greedy_run_of_these_problems_is_refused(report: Report, run, made_contents) -> None:
    whole = {1: "1", 2: "1", 3: "0"}
    for made, complaint in (
        (
            made_contents(whole, path="warm"),
            r"warm: was drawn at temperature .*codesample eval TASK --greedy",
        ),
        (made_contents(whole, path="x", params=COLD, model="other"), "its model is 'other'"),
        (made_contents(whole, path="x", params=COLD, data_hash="h"), "its data_hash is 'h'"),
        (made_contents({1: "1", 2: "-"}, path="x", params=COLD), r"no verdict on 2 of 3 .* adding/2"),
    ):
        with pytest.raises(RunFolderError, match=complaint):
            with_greedy(report, run, made)
