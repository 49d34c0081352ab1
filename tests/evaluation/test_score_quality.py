"""Calibration, distributions of scores, and how well scores part passing from failing candidates."""

from __future__ import annotations

import json
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.metrics import auc
from codesample.evaluation.score_quality import calibration, score_distribution, separation

MARKED = st.lists(st.tuples(st.none() | st.floats(-5, 5, width=16), st.booleans()), max_size=60)
TIED = st.lists(st.tuples(st.none() | st.integers(0, 4).map(float), st.booleans()), max_size=60)


@given(MARKED | TIED, st.integers(1, 12))
def test_every_scored_candidate_is_in_one_bin_and_equal_scores_in_the_same(marked, bins: int) -> None:
    got = calibration(marked, bins=bins)
    scored = [score for score, _ in marked if score is not None]
    assert sum(each.candidates for each in got.bins) == len(scored)
    assert got.abstained == len(marked) - len(scored)
    assert len(got.bins) <= bins
    for before, after in zip(got.bins, got.bins[1:], strict=False):
        assert before.high < after.low
    for each in got.bins:
        inside = [
            (score, passed)
            for score, passed in marked
            if score is not None and each.low <= score <= each.high
        ]
        assert each.candidates == len(inside)
        assert each.passed == pytest.approx(fmean(passed for _, passed in inside))
        assert each.mean == pytest.approx(fmean(score for score, _ in inside))


def test_bins_hold_about_equally_many() -> None:
    rng = random.Random(0)
    got = calibration([(rng.random() ** 3, rng.random() < 0.5) for _ in range(1000)], bins=10)
    assert [each.candidates for each in got.bins] == pytest.approx([100] * 10, abs=1)


def test_scores_that_are_the_chances_have_no_error_and_overconfident_ones_have() -> None:
    rng = random.Random(1)
    chances = [rng.random() for _ in range(20_000)]
    marked = [(chance, rng.random() < chance) for chance in chances]
    assert calibration(marked).error == pytest.approx(0.0, abs=0.02)
    surer = [(min(1.0, chance + 0.3), passed) for chance, passed in marked]
    assert (calibration(surer).error or 0) > 0.2


def test_scores_that_are_no_chances_have_no_error() -> None:
    assert calibration([(-0.1, True), (0.5, False)]).error is None
    assert calibration([(2.0, True), (0.5, False)]).error is None
    assert calibration([(None, True)]).error is None
    assert calibration([]).bins == ()
    # two bins: |1 - 0.75| and |0 - 0.25|
    assert calibration([(0.75, True), (0.25, False)], bins=2).error == pytest.approx(0.25)


@given(MARKED | TIED, st.integers(1, 12))
def test_a_distribution_counts_every_candidate_once(marked, bins: int) -> None:
    got = score_distribution(marked, bins=bins)
    assert sum(each.passing for each in got.bins) + got.abstained_passing == sum(p for _, p in marked)
    assert sum(each.failing for each in got.bins) + got.abstained_failing == sum(not p for _, p in marked)
    assert len(got.bins) <= bins


def test_few_scores_have_a_bin_each() -> None:
    got = score_distribution([(1.0, True), (3.0, False), (1.0, False), (None, True)])
    assert [(each.low, each.high, each.passing, each.failing) for each in got.bins] == [
        (1.0, 1.0, 1, 1),
        (3.0, 3.0, 0, 1),
    ]
    assert (got.abstained_passing, got.abstained_failing) == (1, 0)


def test_one_score_far_away_does_not_squeeze_the_others() -> None:
    marked = [(at / 1000, at % 2 == 0) for at in range(1000)] + [(-1e6, False), (1e6, True)]
    got = score_distribution(marked, bins=10)
    assert got.bins[0].low >= 0
    assert got.bins[-1].high <= 1
    assert min(each.passing + each.failing for each in got.bins) > 90


def test_almost_all_scores_equal_still_gives_bins() -> None:
    marked = [(0.0, True)] * 990 + [(float(at), False) for at in range(1, 41)]
    got = score_distribution(marked, bins=10)
    assert sum(each.failing for each in got.bins) == 40
    assert got.bins[0].passing == 990


@given(st.lists(TIED.filter(bool), min_size=1, max_size=4))
def test_separation_is_auc_over_all_and_within_problems(problems) -> None:
    got = separation({str(at): marked for at, marked in enumerate(problems)})
    every = [pair for marked in problems for pair in marked]
    areas = [auc([s for s, _ in marked], [p for _, p in marked]) for marked in problems]
    known = [area for area in areas if area is not None]
    assert got.pooled == auc([s for s, _ in every], [p for _, p in every])
    assert got.problems == len(known)
    assert got.within == (pytest.approx(fmean(known)) if known else None)


def test_all_of_it_is_plain_data() -> None:
    marked = [(0.5, True), (0.25, False), (None, False)]
    for each in (calibration(marked), score_distribution(marked), separation({"p": marked})):
        assert json.loads(json.dumps(each.as_json())) == each.as_json()
