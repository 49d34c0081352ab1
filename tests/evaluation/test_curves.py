"""Curves of a saved run."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from codesample.evaluation import curves
from codesample.evaluation.metrics import best_of_n_curve, pass_at_k

MARKS = {1: "1100", 2: "0001", 3: "0000", 5: "10-0"}
SCORES = {1: [0.4, 0.1, 0.3, 0.2], 2: [4.0, 3.0, 2.0, 1.0], 3: [0.0] * 4, 5: [None, 2.0, 9.0, None]}


@pytest.fixture
def contents(made_contents):
    return made_contents(MARKS, {"mean_logprob": SCORES, "of_ones_own": SCORES})


def test_pass_at_k_is_there_for_every_k_and_short_problems_count_with_all_they_have(contents) -> None:
    curve = curves.pass_at_k_curve(contents)
    assert [point.k for point in curve.points] == [1, 2, 3, 4]
    counts = [(4, 2), (4, 1), (4, 0), (3, 1)]
    for point in curve.points:
        expected = [pass_at_k(n, c, min(point.k, n)) for n, c in counts]
        assert point.estimate.value == pytest.approx(sum(expected) / 4)
        assert point.short == (1 if point.k == 4 else 0)
        assert point.estimate.low <= point.estimate.value <= point.estimate.high
    assert all(a.estimate.value <= b.estimate.value for a, b in pairwise(curve.points))


def test_many_k_are_thinned_out_with_both_ends(made_contents) -> None:
    points = curves.pass_at_k_curve(made_contents({1: "10" * 150, 2: "0" * 300})).points
    assert (points[0].k, points[-1].k) == (1, 300)
    assert 40 < len(points) <= 64


def test_random_is_level_and_ends_are_shared_with_the_oracle(contents) -> None:
    random = curves.random_curve(contents)
    oracle = curves.pass_at_k_curve(contents, curves.sizes_of(contents))
    assert curves.sizes_of(contents) == (1, 2, 4)
    assert len({point.estimate for point in random.points}) == 1
    assert random.points[0].estimate.value == pytest.approx(oracle.points[0].estimate.value)


def test_a_reranker_known_to_be_independent_has_the_closed_form(contents) -> None:
    curve = curves.best_of_n_curves(contents)["mean_logprob"]
    passed = {1: [1, 1, 0, 0], 2: [0, 0, 0, 1], 3: [0] * 4, 5: [1, 0, 0]}
    scores = {**SCORES, 5: [None, 2.0, None]}
    for point in curve.points:
        expected = [
            best_of_n_curve(scores[each], [bool(x) for x in passed[each]], [min(point.k, len(scores[each]))])[
                0
            ]
            for each in MARKS
        ]
        assert point.estimate.value == pytest.approx(sum(expected) / 4)
    assert curve.note == ""


def test_one_that_may_depend_on_the_others_has_its_ends_and_says_why(contents) -> None:
    curve = curves.best_of_n_curves(contents)["of_ones_own"]
    assert [point.k for point in curve.points] == [1, 4]
    assert curve.points[-1] == curves.best_of_n_curves(contents)["mean_logprob"].points[-1]
    assert curve.points[0].estimate.value == pytest.approx(
        curves.random_curve(contents).points[0].estimate.value
    )
    assert "subsets were not scored" in curve.note


def test_gaps_are_shares_of_the_way_from_random_to_oracle(contents, made_contents) -> None:
    gap = curves.gaps_closed(contents)["mean_logprob"]
    # chosen 1, 0, 0, 0 of 4; at random 2/4, 1/4, 0, 1/3; at best 1, 1, 0, 1
    random = (1 / 2 + 1 / 4 + 1 / 3) / 4
    assert gap.value == pytest.approx((1 / 4 - random) / (3 / 4 - random))
    assert curves.gaps_closed(made_contents({1: "11"}, {"x": {1: [1.0, 2.0]}})) == {"x": None}


def test_calibration_distribution_and_separation_leave_out_what_has_no_grade(contents) -> None:
    (calibration, _) = curves.calibrations(contents).values()
    assert sum(each.candidates for each in calibration.bins) == 13
    assert calibration.abstained == 2
    (distribution, _) = curves.score_distributions(contents).values()
    assert sum(each.passing for each in distribution.bins) + distribution.abstained_passing == 4
    separation = curves.separations(contents)["mean_logprob"]
    assert separation.problems == 3
    assert separation.within == pytest.approx(((1 + 0.5 - 0.5) / 2 + 0.0 + (0.0 + 0.5) / 2) / 3)


def test_all_of_it_is_plain_data(contents) -> None:
    found = [
        curves.pass_at_k_curve(contents),
        *curves.best_of_n_curves(contents).values(),
        *curves.calibrations(contents).values(),
        *curves.score_distributions(contents).values(),
        *curves.separations(contents).values(),
    ]
    for each in found:
        assert json.loads(json.dumps(each.as_json())) == each.as_json()
