"""Curves that scoring keeps beside the scores, and who gets which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from codesample.errors import RerankerError
from codesample.evaluation.kept_curves import curve_columns, curve_sizes, keep_curve, kept_curve
from codesample.evaluation.metrics import best_of_n
from codesample.records import SamplingParams
from codesample.rerankers.contract import Reranker
from codesample.runs import Manifest, RunFolder

MARKS = {1: "1100100", 2: "0001", 3: "0000", 5: "10-01100"}


def reranker(*needs: str, independent: bool = False) -> Reranker:
    return Reranker("votes", lambda view, candidates, ctx: [], needs=needs, independent=independent)


@pytest.fixture
def run(tmp_path: Path):
    with RunFolder.create(
        tmp_path / "run", Manifest("adding", "1", "hash", "scripted", SamplingParams(), 3)
    ) as run:
        yield run


@pytest.fixture
def pools(made_contents):
    return made_contents(MARKS).pools


def scored(pools) -> dict[str, list[float | None]]:
    return {p.problem.task_id: [float(at % 3) for at, _ in enumerate(p.candidates)] for p in pools}


class Rescoring:
    """Scores a subset by how its positions compare, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[int, ...]]] = []

    def __call__(self, number: int, at: Sequence[int]) -> list[float | None]:
        self.asked.append((number, tuple(at)))
        return [float(each - min(at)) for each in at]


def test_sizes_double_up_to_the_pool(made_contents) -> None:
    for length, sizes in ((1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (9, (1, 2, 4, 8, 9))):
        assert curve_sizes(made_contents({1: "1" * length, 2: "0"}).pools) == sizes
    # what has no grade does not count
    assert curve_sizes(made_contents({1: "1--"}).pools) == (1,)


def test_what_depends_on_the_others_is_scored_anew_on_graded_subsets(run, pools) -> None:
    rescoring, column = Rescoring(), scored(pools)
    keep_curve(run, reranker(), pools, column, rescoring, seed=0)
    kept = kept_curve(run, "votes", pools, column)
    columns, note = curve_columns("votes", pools, column, kept)
    assert list(columns) == [1, 2, 4, 7]
    assert "scored anew" in note
    # the third has nothing to choose, of the fourth the broken candidate is never asked for
    assert {number for number, _ in rescoring.asked} == {0, 1, 3}
    assert all(2 not in at for number, at in rescoring.asked if number == 3)
    # ends are the share that passes, and what the whole pool's scores choose
    assert columns[1] == pytest.approx([3 / 7, 1 / 4, 0.0, 3 / 7])
    for pool, value in zip(pools, columns[7], strict=True):
        scores = [column[pool.problem.task_id][at] for at in pool.graded]
        assert value == pytest.approx(best_of_n(scores, pool.passed))
    # a pool of four has its whole at four already
    assert columns[4][1] == columns[7][1]
    assert all(0 <= value <= 1 for row in columns.values() for value in row)


def test_a_second_look_needs_no_scoring_and_new_scores_or_verdicts_void_it(run, pools, made_contents) -> None:
    column = scored(pools)
    keep_curve(run, reranker(), pools, column, Rescoring(), seed=0)
    assert kept_curve(run, "votes", pools, column) is not None
    assert kept_curve(run, "others", pools, column) is None
    changed = {**column, "adding/1": [9.0, *column["adding/1"][1:]]}
    assert kept_curve(run, "votes", pools, changed) is None
    assert kept_curve(run, "votes", made_contents({**MARKS, 1: "1100000"}).pools, column) is None


def test_what_does_not_depend_on_the_others_needs_no_subsets(run, pools) -> None:
    rescoring, column = Rescoring(), scored(pools)
    keep_curve(run, reranker(independent=True), pools, column, rescoring, seed=0)
    columns, note = curve_columns("votes", pools, column, kept_curve(run, "votes", pools, column))
    assert (rescoring.asked, note, list(columns)) == ([], "", [1, 2, 4, 7])


@pytest.mark.parametrize(
    ("need", "why"),
    [("generate", "ask a model"), ("prompt_logprobs", "ask a model"), ("run", "run programs")],
)
def test_what_would_be_dear_is_not_scored_again_and_says_why(run, pools, need: str, why: str) -> None:
    rescoring, column = Rescoring(), scored(pools)
    keep_curve(run, reranker(need), pools, column, rescoring, seed=0)
    columns, note = curve_columns("votes", pools, column, kept_curve(run, "votes", pools, column))
    assert rescoring.asked == []
    assert list(columns) == [1, 7]
    assert why in note


def test_a_failing_one_costs_its_curve_alone_and_can_be_tried_again(run, pools) -> None:
    def fail(number: int, at: Sequence[int]) -> list[float | None]:
        raise RerankerError("too few candidates")

    column = scored(pools)
    said = keep_curve(run, reranker(), pools, column, fail, seed=0)
    assert said == "votes has no curve over n: too few candidates"
    columns, note = curve_columns("votes", pools, column, kept_curve(run, "votes", pools, column))
    assert list(columns) == [1, 7]
    assert "--curves" in note
    assert keep_curve(run, reranker(), pools, column, Rescoring(), seed=0) == ""
    assert list(curve_columns("votes", pools, column, kept_curve(run, "votes", pools, column))[0]) == [
        1,
        2,
        4,
        7,
    ]


def test_patience_ends(run, pools) -> None:
    rescoring, column = Rescoring(), scored(pools)
    said = keep_curve(run, reranker(), pools, column, rescoring, seed=0, patience=-1)
    assert said == "votes has no curve over n: scoring subsets took more than -1 seconds"
    assert rescoring.asked == []
    assert kept_curve(run, "votes", pools, column) is None
