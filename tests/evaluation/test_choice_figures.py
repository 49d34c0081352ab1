"""Figures of rerankers beside random and oracle."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from codesample.evaluation.choice_figures import bounds, selections, variance_split
from codesample.evaluation.intervals import Estimate
from codesample.records import SamplingParams
from codesample.rerankers.made_once import Cost
from codesample.runs import Manifest, RunFolder

MARKS = {1: "1100", 2: "0001", 3: "0000", 5: "1000"}
GOOD = {1: [2.0, 2.0, 1.0, 0.0], 2: [0.0, 0.0, 0.0, 1.0], 3: [1.0] * 4, 5: [None] * 4}
BAD = {1: [0.0, 0.0, 1.0, 1.0], 2: [1.0, 1.0, 1.0, 0.0], 3: [1.0] * 4, 5: [0.0, 1.0, 1.0, 1.0]}


@pytest.fixture
def run(tmp_path: Path):
    with RunFolder.create(
        tmp_path / "run", Manifest("adding", "1", "hash", "scripted", SamplingParams(), 3)
    ) as run:
        yield run


@pytest.fixture
def found(run, made_contents):
    contents = made_contents(MARKS, {"good": GOOD, "bad": BAD})
    return selections(run, contents.pools, contents.scores, costs={"good": Cost(executions=8)})


def test_each_is_told_by_all_its_figures(found) -> None:
    good = found["good"]
    # chosen 1, 1, 0 and 1/4 of four; at random 1/2, 1/4, 0, 1/4; at best 1, 1, 0, 1
    assert good.best_of_n.value == pytest.approx(2.25 / 4)
    assert good.gap_closed.value == pytest.approx((2.25 - 1) / (3 - 1))
    assert good.over_random.difference.value == pytest.approx(1.25 / 4)
    assert (good.over_random.won, good.over_random.lost, good.over_random.tied) == (2, 0, 2)
    assert (good.abstained, good.undecided) == (1 / 4, 2 / 4)
    assert good.cost == Cost(executions=8)
    assert found["bad"].cost is None
    assert good.below_random == ""
    assert good.gap_closed.low <= good.gap_closed.value <= good.gap_closed.high


def test_labels_close_the_whole_gap_and_a_constant_none(run, made_contents) -> None:
    labels = {addend: [float(mark) for mark in row] for addend, row in MARKS.items()}
    flat = {addend: [7.0] * 4 for addend in MARKS}
    contents = made_contents(MARKS, {"labels": labels, "flat": flat})
    found, around = selections(run, contents.pools, contents.scores), bounds(contents.pools)
    assert found["labels"].best_of_n == around.oracle
    assert found["labels"].gap_closed.value == 1.0
    assert found["labels"].gap_closed.low < 1.0
    assert found["flat"].best_of_n.value == pytest.approx(around.random.value)
    assert found["flat"].gap_closed == Estimate(0.0, 0.0, 0.0)
    assert found["flat"].over_random.difference == Estimate(0.0, 0.0, 0.0)
    assert (found["flat"].over_random.p, found["flat"].undecided, found["flat"].abstained) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize("rest", [[None] * 4, [1.0] * 4])
def test_only_chance_on_every_problem_is_chance_without_doubt(rest, run, made_contents) -> None:
    chance = dict.fromkeys(MARKS, rest)
    once = {**chance, 3: [2.0, 1.0, 1.0, 1.0]}
    contents = made_contents(MARKS, {"chance": chance, "once": once})
    found = selections(run, contents.pools, contents.scores)
    assert found["chance"].gap_closed == found["chance"].over_random.difference == Estimate(0.0, 0.0, 0.0)
    # what chose among four that fail could have chosen elsewhere too
    over = found["once"].over_random.difference
    assert over.low < over.value == 0.0 < over.high


def test_bounds_run_from_random_to_oracle_by_size(made_contents) -> None:
    around = bounds(made_contents(MARKS).pools)
    assert list(around.oracle_curve) == [1, 2, 4]
    assert (around.oracle_curve[1], around.oracle_curve[4]) == (around.random, around.oracle)
    assert around.random.value == pytest.approx(1 / 4)
    assert around.oracle.value == 3 / 4


def test_worse_than_random_by_more_than_the_interval_is_explained(run, made_contents) -> None:
    found = _worse_on(12, run, made_contents)
    assert found.over_random.difference.high < 0
    assert found.over_random.p <= 0.05
    assert "loses most on adding/1" in found.below_random


@pytest.mark.parametrize("problems", [1, 2, 4])
def test_too_few_problems_tell_of_none_that_it_is_below_random(problems: int, run, made_contents) -> None:
    found = _worse_on(problems, run, made_contents)
    assert found.best_of_n.value == 0.0
    assert found.over_random.difference.low < -0.5 < 0 < found.over_random.difference.high
    assert found.gap_closed.low <= -1.0 < 0 < found.gap_closed.high
    assert found.over_random.p > 0.05
    assert found.below_random == ""


def test_below_random_is_told_only_where_chance_alone_seldom_makes_it_so(run, made_contents) -> None:
    # three of 40 problems lost, none won: the bootstrap sees a loss, the signs do not
    found = _worse_on(40, run, made_contents, lost=3)
    assert found.over_random.p == 0.25
    assert found.below_random == ""


def _worse_on(problems: int, run, made_contents, lost: int = 1000):
    """Choose wrongly on the first `lost` of so many problems, half of whose candidates pass."""
    (pool,) = made_contents({1: "1100"}).pools
    names = [f"adding/{at}" for at in range(1, problems + 1)]
    pools = [replace(pool, problem=replace(pool.problem, task_id=name)) for name in names]
    bad = {name: [0.0, 0.0, 1.0, 1.0] if at < lost else [1.0] * 4 for at, name in enumerate(names)}
    return selections(run, pools, {"bad": bad})["bad"]


def test_the_variance_of_pass_at_1_is_split_without_bias(made_contents) -> None:
    rng = random.Random(0)
    chances = [0.1, 0.5, 0.9, 0.5]
    sampling, problems = [], []
    for _ in range(300):
        marks = {
            addend: "".join("1" if rng.random() < chance else "0" for _ in range(8))
            for addend, chance in zip((1, 2, 3, 5), chances, strict=True)
        }
        split = variance_split(made_contents(marks).pools)
        sampling.append(split.sampling**2)
        problems.append(split.problems**2)
    assert fmean(sampling) == pytest.approx(sum(p * (1 - p) / 8 for p in chances) / 16, rel=0.05)
    middle = fmean(chances)
    assert fmean(problems) == pytest.approx(sum((p - middle) ** 2 for p in chances) / 3 / 4, rel=0.05)


def test_what_cannot_be_split_is_not(made_contents) -> None:
    assert variance_split(made_contents({1: "10", 2: "1"}).pools) is None
    assert variance_split(made_contents({1: "10"}).pools) is None
    # draws explain more than there is: nothing is left for problems, and nothing is below 0
    split = variance_split(made_contents({1: "10", 2: "01"}).pools)
    assert (split.problems, split.sampling) == (0.0, 0.0)
