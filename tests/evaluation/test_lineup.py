"""Several runs, each compared with the first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.comparison import compare_contents
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.lineup import line_up
from codesample.evaluation.report import Report, Seconds

FIRST = {1: "1100", 2: "0001", 3: "0000", 5: "1111"}
FACTS = {"policy": "quest(keep=0.2)", "share": 0.25, "audit": None}


HALF = Estimate(0.5, 0.25, 0.75)
REPORT = Report(
    task="adding",
    model="scripted",
    problems=4,
    n=4,
    n_max=4,
    samples=16,
    pass_at_k={1: HALF},
    rerankers={},
    random=HALF,
    oracle=HALF,
    seconds=Seconds(2.5, 1.0, 3.0),
    tokens=70,
    tokens_per_second=28.0,
    statuses={"passed": 16},
    isolation="confined",
    notices=(),
    run=Path("quest"),
    policy=FACTS,
)


@pytest.fixture
def runs(made_contents):
    first = made_contents(FIRST, path="exact")
    second = made_contents(FIRST | {1: "0000"}, path="quest")
    return first, replace(second, report=REPORT), made_contents(FIRST | {3: "1111"}, path="other")


def test_each_run_is_compared_with_the_first(runs) -> None:
    lineup = line_up(runs)
    assert lineup.comparisons == tuple(compare_contents(runs[0], each) for each in runs[1:])
    signs = [each.figures[0].paired.difference.value for each in lineup.comparisons]
    assert signs == [pytest.approx(-0.125), pytest.approx(0.25)]


def test_what_a_run_took_is_said_and_what_it_does_not_say_is_none(runs) -> None:
    unfinished, finished, _ = line_up(runs).costs
    assert (unfinished.run, unfinished.tokens, unfinished.sampling_seconds) == ("exact", None, None)
    assert (finished.tokens, finished.sampling_seconds, finished.policy) == (70, 2.5, FACTS)


def test_a_run_that_drew_nothing_says_no_sampling_time(runs) -> None:
    judged = replace(runs[1], report=replace(REPORT, tokens_per_second=None))
    assert line_up([runs[0], judged]).costs[1].sampling_seconds is None


def test_it_is_plain_data(runs) -> None:
    content = json.loads(json.dumps(line_up(runs).as_json()))
    assert content["kind"] == "lineup"
    assert [each["second"] for each in content["comparisons"]] == ["quest", "other"]


def test_a_run_twice_is_refused(runs) -> None:
    with pytest.raises(ParameterError, match="one run; name each once"):
        line_up([*runs, runs[1]])


@pytest.mark.parametrize(
    ("policy", "counted"),
    [
        ("exact, decode_cache=cascade(capacity=8, decay=0.9999, first=4, levels=2)", False),
        ("exact, prefill=star(anchor=0, block=0, guard=32768, tail=512), hosts=2", False),
        ("exact, prefill=ring(chunk=2048), hosts=2", True),
        ("exact, schedule=stream-k(workers=0)", True),
    ],
)
def test_of_a_run_that_let_go_of_tokens_uncounted_it_is_not_said_that_all_were_read(
    runs, policy: str, counted: bool
) -> None:
    first, second, _ = runs
    manifest = replace(second.manifest, sessions=({"model": {"policy": policy}},))
    run = replace(second, manifest=manifest, report=replace(REPORT, policy={}))
    assert line_up([first, run]).costs[1].policy == ({} if counted else {"policy": policy})
