"""What a report holds of a reranker: there and back as JSON, and what a point costs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from codesample.evaluation.choice import Greedy, Selection
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.paired import Paired
from codesample.rerankers.made_once import Cost

HALF = Estimate(0.5, 0.4, 0.6)
WHOLE = Selection(
    best_of_n=HALF,
    gap_closed=Estimate(0.25, 0.1, 0.4),
    over_random=Paired(Estimate(0.05, 0.01, 0.1), 0.03, 7, 2, 11),
    abstained=0.1,
    undecided=0.2,
    below_random="its choices are shorter",
    curve={1: HALF, 16: Estimate(0.75, 0.7, 0.8)},
    curve_note="over subsets",
    parts={"base": HALF},
    cost=Cost(1000, 20, 30, 4.0),
)


@pytest.mark.parametrize("selection", [WHOLE, Selection(HALF, None)])
def test_it_survives_json(selection: Selection) -> None:
    again = Selection.from_json(json.loads(json.dumps(selection.as_json())))
    assert (again, again.cost) == (selection, selection.cost)


def test_a_share_without_interval_of_older_results_is_refused() -> None:
    with pytest.raises(TypeError):
        Selection.from_json(Selection(HALF, None).as_json() | {"gap_closed": 0.25})


def test_a_point_costs_its_share_of_everything() -> None:
    assert WHOLE.cost_per_point == {
        "tokens_drawn": pytest.approx(200),
        "tokens_read": pytest.approx(4),
        "executions": pytest.approx(6),
        "seconds": pytest.approx(0.8),
    }


def test_what_gains_nothing_or_whose_cost_is_unknown_has_no_price() -> None:
    assert replace(WHOLE, cost=None).cost_per_point is None
    assert replace(WHOLE, over_random=None).cost_per_point is None
    lost = Paired(Estimate(-0.05, -0.1, 0.0), 0.03, 2, 7, 11)
    assert replace(WHOLE, over_random=lost).cost_per_point is None


def test_a_greedy_run_survives_json() -> None:
    greedy = Greedy(HALF, "runs/greedy", WHOLE.over_random)
    content = {"pass_at_1": {"value": 0.5, "low": 0.4, "high": 0.6}, "run": "runs/greedy"}
    assert Greedy.from_json(content | {"over_random": WHOLE.over_random.as_json()}) == greedy
    assert Greedy.from_json(None) is None
