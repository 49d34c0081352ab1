"""Scores of an interrupted or failed scoring are kept, and taken over as long as nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scored_runs import Told, kept, likely, scores_of

from codesample.errors import RerankerError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.observer import Observer
from codesample.evaluation.reranking import rerank_run
from codesample.records import Candidate
from codesample.rerankers.contract import Reranker, reranker

SCORER = """
from codesample import reranker

@reranker
def mine(view, candidates, ctx):
    with open({log!r}, "a") as log:
        log.write(view.task_id + "\\n")
    {before}
    return [{sign}each.index for each in candidates]
"""


class Interrupted(Observer):
    """Ends a call by Ctrl-C behind the second problem."""

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        if done == 2:
            raise KeyboardInterrupt


@pytest.fixture
def four(adding: Any, scripted_engine: Any, tmp_path: Path) -> Path:
    made = evaluate(
        adding, model=scripted_engine(), n=2, rerankers=["mean_logprob"], run=kept(tmp_path / "r")
    )
    return made.run


def idea(tmp_path: Path, *, sign: str = "", before: str = "") -> str:
    (tmp_path / "idea.py").write_text(SCORER.format(log=str(tmp_path / "log"), sign=sign, before=before))
    return f"{tmp_path}/idea.py:mine"


def scored_problems(tmp_path: Path) -> list[str]:
    log = tmp_path / "log"
    found = log.read_text().split()
    log.unlink()
    return found


def test_an_interrupted_scoring_goes_on_behind_what_it_had_scored(
    four: Path, adding: Any, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        rerank_run(four, task=adding, rerankers=[idea(tmp_path)], run=kept(), observer=Interrupted())
    assert scored_problems(tmp_path) == ["adding/1", "adding/2"]
    assert scores_of(four, "mine") == {}
    told = Told()
    rerank_run(four, task=adding, rerankers=[idea(tmp_path)], run=kept(), observer=told)
    assert scored_problems(tmp_path) == ["adding/3", "adding/5"]
    assert told.done == [("mine", 3), ("mine", 4)]
    assert "mine goes on: 2 of 4 problems were scored before" in told.notices
    assert scores_of(four, "mine") == {(f"adding/{a}", i): float(i) for a in (1, 2, 3, 5) for i in (0, 1)}
    # what is complete is scored anew when that is asked for
    rerank_run(four, task=adding, rerankers=[idea(tmp_path)], run=kept())
    assert len(scored_problems(tmp_path)) == 4
    assert not list((four / "scores").glob("*.unfinished"))


@pytest.mark.parametrize("change", ["code", "candidates", "seed"])
def test_nothing_is_taken_over_where_something_changed(
    four: Path, adding: Any, scripted_engine: Any, tmp_path: Path, change: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        rerank_run(four, task=adding, rerankers=[idea(tmp_path)], run=kept(), observer=Interrupted())
    scored_problems(tmp_path)
    if change == "candidates":
        evaluate(adding, model=scripted_engine(), n=3, rerankers=[], run=kept(four, resume=True))
    elif change == "seed":
        record = json.loads((four / "run.json").read_text())
        record["params"]["seed"] = 9
        (four / "run.json").write_text(json.dumps(record))
    spec = idea(tmp_path, sign="-" if change == "code" else "")
    told = Told()
    rerank_run(four, task=adding, rerankers=[spec], run=kept(), observer=told)
    assert len(scored_problems(tmp_path)) == 4
    assert not any("goes on" in each for each in told.notices)
    assert set(scores_of(four, "mine").values()) == {0.0, -1.0} if change == "code" else True


def test_a_scorer_that_fails_on_one_problem_keeps_the_others(four: Path, adding: Any, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.touch()
    spec = idea(
        tmp_path, before=f"import os; assert view.task_id != 'adding/3' or not os.path.exists({str(trap)!r})"
    )
    with pytest.raises(RerankerError, match="'mine', problem 'adding/3': raised AssertionError"):
        rerank_run(four, task=adding, rerankers=[spec, likely], run=kept())
    assert len(scores_of(four, "likely")) == 8
    scored_problems(tmp_path)
    trap.unlink()
    rerank_run(four, task=adding, rerankers=[spec], run=kept())
    assert scored_problems(tmp_path) == ["adding/3", "adding/5"]


def test_an_interrupted_evaluation_goes_on_too(adding: Any, scripted_engine: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            adding,
            model=scripted_engine(),
            n=1,
            rerankers=[idea(tmp_path)],
            run=kept(out),
            observer=Interrupted(),
        )
    scored_problems(tmp_path)
    evaluate(adding, model=scripted_engine(), n=1, rerankers=[idea(tmp_path)], run=kept(out, resume=True))
    assert scored_problems(tmp_path) == ["adding/3", "adding/5"]


def test_async_scorers_keep_what_they_had_and_come_to_the_same(four: Path, adding: Any) -> None:
    seen: list[str] = []

    async def scorer(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        seen.append(view.task_id)
        return [float(each.index) for each in candidates]

    mine = Reranker("mine", scorer)
    rerank_run(four, task=adding, rerankers=[mine], run=kept())
    assert sorted(seen) == [f"adding/{a}" for a in (1, 2, 3, 5)]
    assert scores_of(four, "mine") == {(f"adding/{a}", i): float(i) for a in (1, 2, 3, 5) for i in (0, 1)}


def test_a_scorer_that_leaves_the_folder_leaves_the_run_where_it_is(
    adding: Any, scripted_engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()

    @reranker(needs={"generate"})
    def leaving(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
        import os

        os.chdir(tmp_path / "elsewhere")
        ctx.generate("x", n=1)
        return [0.0] * len(candidates)

    class Lettered(scripted_engine):  # type: ignore[misc]
        def stream(self, requests: Any, params: Any, *, progress: Any = None) -> Iterator[Candidate]:
            if requests[0].prompt == "x":
                return iter([Candidate(requests[0].task_id, 0, "y")])
            return super().stream(requests, params, progress=progress)

    evaluate(adding, model=Lettered(), n=1, rerankers=[leaving, "mean_logprob"], run=kept(Path("run")))
    assert {"drawn.jsonl"} <= {each.name for each in Path("run/artefacts").iterdir()}
    assert len(scores_of(Path("run"), "leaving")) == 4
    assert list((tmp_path / "elsewhere").iterdir()) == []
