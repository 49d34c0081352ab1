"""What the rerankers within a composition gave is kept with the scores of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scored_runs import kept

from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.member_scores import by_index, told_of_members
from codesample.evaluation.observer import Observer
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.run_contents import read_run
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import filtered, then
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, reranker


@reranker
def late(view: PublicView, candidates: list[Candidate], ctx: Context) -> list[float | None]:
    return [float(each.index > 0) for each in candidates]


@reranker
def seen(view: PublicView, candidates: list[Candidate], ctx: Context) -> list[float | None]:
    # what depends on which others there are, as votes do
    return [float(len(candidates) * 10 - each.index) for each in candidates]


@pytest.fixture
def three(adding: Any, scripted_engine: Any, tmp_path: Path) -> Path:
    return evaluate(
        adding, model=scripted_engine(), n=3, rerankers=["mean_logprob"], run=kept(tmp_path / "r")
    ).run


def test_a_run_keeps_what_members_gave_to_the_candidates_that_they_saw(three: Path, adding: Any) -> None:
    made = filtered(late, seen)
    rerank_run(three, task=adding, rerankers=[made, seen], run=kept())
    contents = read_run(three, task=adding)
    task_id = contents.pools[0].problem.task_id
    assert contents.members[made.name][task_id] == {
        "late": {0: 0.0, 1: 1.0, 2: 1.0},
        # of the two that were kept; over all three it gives others
        "seen": {1: 19.0, 2: 18.0},
    }
    assert contents.scores["seen"][task_id] == [30.0, 29.0, 28.0]
    # plain ones have no members, and a composition that is scored anew has none of before
    assert not contents.members["seen"]
    assert "late | seen" in contents.scores
    assert len(list((three / "scores").glob("*.members"))) == 1


def test_an_interrupted_scoring_keeps_what_members_gave(three: Path, adding: Any) -> None:
    class Interrupted(Observer):
        def scored(self, reranker: str, *, done: int, problems: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

    made = filtered(late, seen)
    with pytest.raises(KeyboardInterrupt):
        rerank_run(three, task=adding, rerankers=[made], run=kept(), observer=Interrupted())
    rerank_run(three, task=adding, rerankers=[made], run=kept())
    contents = read_run(three, task=adding)
    assert all(
        contents.members[made.name][pool.problem.task_id]["seen"] == {1: 19.0, 2: 18.0}
        for pool in contents.pools
    )


@pytest.mark.parametrize("made", [seen, then(filtered(late, seen), seen)])
def test_nothing_is_told_of_plain_rerankers_and_of_those_that_ask_one_twice(made: Reranker) -> None:
    assert told_of_members(made, {"late": {0: 1.0}, "seen": {0: 2.0}}) == {}


def test_indices_that_were_read_as_text_are_numbers_again() -> None:
    assert by_index({"a": {"10": None, "2": 1.0}}) == {"a": {10: None, 2: 1.0}}
