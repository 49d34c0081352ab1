"""A table of runs: each combination a run of its own, found again; one that fails costs no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import MetricError, ModelError, ParameterError, RunFolderError, UnknownNameError
from codesample.evaluation import named_models
from codesample.evaluation import plan as plans
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.reranking import rerank_run
from codesample.evaluation.run_table import RunTable, evaluate_table, load_table
from codesample.records import SamplingParams
from codesample.runs import RunFolder
from codesample.runs.table import read_table

COLD, WARM = SamplingParams(temperature=0.2), SamplingParams(temperature=0.8)
NAMES = ["adding-first-t0.2", "adding-first-t0.8", "other-first-t0.2", "other-first-t0.8"]


class Watching(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def table(self, text: str) -> None:
        self.said.append(text)

    def notice(self, text: str) -> None:
        self.said.append(text)


def named(engine: Any, name: str) -> Any:
    engine.name = name
    return engine


def table(tasks: list[Any], models: list[Any], out: Path, *, resume: bool = False, **more: Any) -> RunTable:
    run = RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")
    settings = {"n": 2, "rerankers": "mean_logprob", **more}
    return evaluate_table(tasks, models, [COLD, WARM], run=run, **settings)


@pytest.fixture
def tasks(adding) -> list[Any]:
    return [adding, replace(adding, name="other")]


def test_every_combination_is_a_run_of_its_own_that_is_as_a_single_call_makes_it(
    tasks, scripted_engine, tmp_path: Path
) -> None:
    made = table(tasks, [named(scripted_engine(), name) for name in ("first", "second")], tmp_path / "table")
    assert [row.run.name for row in made.rows[:4]] == NAMES
    assert [(row.task, row.model, row.temperature) for row in made.rows[4:6]] == [
        ("adding", "second", 0.2),
        ("adding", "second", 0.8),
    ]
    assert made.failed == ()
    single = evaluate(
        tasks[0],
        model=named(scripted_engine(), "first"),
        n=2,
        params=COLD,
        rerankers="mean_logprob",
        run=RunOptions(out=tmp_path / "single", workers=1, allow_weak_isolation="none"),
    )
    assert made.rows[0].report is not None
    assert made.rows[0].report.pass_at_k == single.pass_at_k
    with RunFolder.open(made.rows[0].run) as ours, RunFolder.open(single.run) as theirs:
        assert set(ours.samples()) == set(theirs.samples())
        assert replace(ours.manifest, sessions=()) == replace(theirs.manifest, sessions=())
    assert load_table(tmp_path / "table").as_json() == made.as_json()
    again = rerank_run(made.rows[0].run, rerankers=["mean_logprob"], task=tasks[0], run=RunOptions(workers=1))
    assert again.rerankers == made.rows[0].report.rerankers


def test_the_rows_as_json_say_what_was_combined_and_where_the_run_is(
    adding, scripted_engine, tmp_path: Path
) -> None:
    made = table([adding], [scripted_engine()], tmp_path)
    rows = json.loads(json.dumps(made.as_json()))
    assert [(row["task"], row["model"], row["temperature"], row["run"]) for row in rows] == [
        ("adding", "scripted", 0.2, str(tmp_path / "adding-scripted-t0.2")),
        ("adding", "scripted", 0.8, str(tmp_path / "adding-scripted-t0.8")),
    ]
    for row in rows:
        kept = json.loads((Path(row["run"]) / "results.json").read_text())
        assert {name: row[name] for name in kept} == kept


def test_one_run_that_fails_costs_no_other_and_is_begun_again_alone(
    tasks, scripted_engine, tmp_path: Path
) -> None:
    def fail(count: int) -> None:
        raise ModelError("out of memory")

    failing, sound = named(scripted_engine(fail), "first"), named(scripted_engine(), "second")
    made = table(tasks, [failing, sound], tmp_path)
    assert [row.model for row in made.failed] == ["first"] * 4
    assert {row.error for row in made.failed} == {"out of memory"}
    assert made.as_json()[0]["error"] == "out of memory"
    mended, idle = named(scripted_engine(), "first"), named(scripted_engine(), "second")
    again = table(tasks, [mended, idle], tmp_path, resume=True)
    assert again.failed == ()
    assert (len(mended.asked), idle.asked) == (4 * 4 * 2, [])


def test_a_mistake_in_an_engine_costs_no_other_run_and_is_raised_in_the_end(
    adding, scripted_engine, tmp_path: Path
) -> None:
    class Broken(scripted_engine):  # type: ignore[misc, name-defined]
        def describe(self) -> Any:
            raise ZeroDivisionError("ours")

    watching = Watching()
    with pytest.raises(ZeroDivisionError):
        table([adding], [named(Broken(), "first"), scripted_engine()], tmp_path, observer=watching)
    assert [row.report is None for row in load_table(tmp_path).rows] == [True, True, False, False]
    assert "run 1 of 4 failed: ZeroDivisionError: ours" in watching.said


def test_a_model_is_opened_once_and_not_tried_again_where_it_cannot_be(
    tasks, scripted_engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_engine(options: Any) -> Any:
        opened.append(options.model)
        if options.model == "owner/absent":
            raise ModelError("no such model")
        return named(scripted_engine(), options.model)

    monkeypatch.setattr(plans, "open_engine", open_engine)
    monkeypatch.setattr(named_models, "expect_on_hub", lambda name: None)
    made = table(tasks, ["owner/absent", "owner/there"], tmp_path)
    assert opened == ["owner/absent", "owner/there"]
    assert [row.error for row in made.rows] == ["no such model"] * 4 + [""] * 4
    opened.clear()
    assert table(tasks, ["owner/there"], tmp_path, resume=True).failed == ()
    # what is finished is read, and needs no model
    assert opened == []


def test_going_on_with_an_interrupted_table_gives_the_same_as_one_that_was_not(
    tasks, scripted_engine, tmp_path: Path
) -> None:
    def interrupt(count: int) -> None:
        if count == 19:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table(tasks, [named(scripted_engine(interrupt), "first")], tmp_path / "stopped")
    states = [(row.report is not None, row.error) for row in load_table(tmp_path / "stopped").rows]
    assert states[:3] == [(True, ""), (True, ""), (False, "not finished")]
    assert "not a run folder" in states[3][1]
    engine = named(scripted_engine(), "first")
    resumed = table(tasks, [engine], tmp_path / "stopped", resume=True)
    whole = table(tasks, [named(scripted_engine(), "first")], tmp_path / "whole")
    assert [row.report and row.report.pass_at_k for row in resumed.rows] == [
        row.report and row.report.pass_at_k for row in whole.rows
    ]
    assert len(engine.asked) == 4 * 4 * 2 - 19


def test_a_larger_table_goes_on_with_a_smaller_one(adding, scripted_engine, tmp_path: Path) -> None:
    table([adding], [named(scripted_engine(), "first")], tmp_path)
    grown = table([adding], [named(scripted_engine(), "second")], tmp_path, resume=True)
    assert len(grown.rows) == 2
    assert [each.model for each in read_table(tmp_path)] == ["first", "first", "second", "second"]
    # more candidates are another call: nothing finished answers it
    engine = named(scripted_engine(), "first")
    more = table([adding], [engine], tmp_path, resume=True, n=3)
    assert [row.report and row.report.n for row in more.rows] == [3, 3]
    assert {index for _, index in engine.asked} == {2}


def test_a_finished_run_that_another_reranker_is_asked_of_is_gone_on_with(
    adding, scripted_engine, tmp_path: Path
) -> None:
    table([adding], [scripted_engine()], tmp_path)
    made = table([adding], [engine := scripted_engine()], tmp_path, resume=True, rerankers="public_examples")
    assert engine.asked == []
    assert [set(row.report.rerankers if row.report else ()) for row in made.rows] == [{"public_examples"}] * 2


def test_at_temperature_0_one_candidate_is_drawn_beside_many_at_others(
    adding, scripted_engine, tmp_path: Path
) -> None:
    watching = Watching()
    made = evaluate_table(
        [read_problems(adding, limit=2)],
        [scripted_engine()],
        [replace(COLD, temperature=0), WARM],
        n=3,
        run=RunOptions(out=tmp_path, workers=1, allow_weak_isolation="none"),
        observer=watching,
    )
    assert [row.report and row.report.n for row in made.rows] == [1, 3]
    notice = "temperature 0: one candidate of each prompt is drawn, for all 3 would be equal"
    assert watching.said[:2] == ["run 1 of 2: adding, scripted, temperature 0", notice]


def test_names_of_folders_are_safe_and_of_different_runs_different(
    adding, scripted_engine, tmp_path: Path
) -> None:
    names = ["/home/a/step-10", "b/step-10", "owner/model@main", "x" * 300]
    made = table([adding], [named(scripted_engine(), name) for name in names], tmp_path)
    folders = {row.run.name for row in made.rows}
    assert len(folders) == 2 * len(names)
    assert made.failed == ()
    assert "adding-owner--model@main-t0.8" in folders


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": []}, "at least one task, one model"),
        (
            {"models": ["tiny", "native:tiny"]},
            "two runs of the table would be alike: adding, tiny, temperature 0.2",
        ),
        ({"k": 5}, "k = 5 with n = 2"),
        ({"tasks": ["mini", "minni"]}, "did you mean 'mini'"),
        ({"resume": True}, "holds no table of runs; leave --resume out to begin one"),
    ],
)
def test_what_can_be_refused_is_refused_before_anything_is_loaded_or_written(
    adding, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    asked = {"tasks": [adding], "models": ["tiny"], "out": tmp_path / "table", **change}
    with pytest.raises((ParameterError, UnknownNameError, RunFolderError, MetricError), match=message):
        table(**asked)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_nowhere_is_told_before_the_first_run(
    adding, scripted_engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(name: str) -> None:
        raise ModelError(f"{name} is nowhere")

    monkeypatch.setattr(named_models, "expect_on_hub", nowhere)
    with pytest.raises(ModelError, match="owner/absent is nowhere"):
        table([adding], [scripted_engine(), "owner/absent"], tmp_path / "table")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_refused(adding, scripted_engine, tmp_path: Path) -> None:
    made = table([adding], [scripted_engine()], tmp_path)
    with pytest.raises(RunFolderError, match="holds a table of runs already; continue it with --resume"):
        table([adding], [scripted_engine()], tmp_path)
    with pytest.raises(RunFolderError, match="holds a run already"):
        table([adding], [scripted_engine()], made.rows[0].run)
    with pytest.raises(RunFolderError, match=r"a table of runs; name one of them: .*adding-scripted-t0\.2"):
        rerank_run(tmp_path)
    (tmp_path / "table.json").write_text('{"format": 2, "runs": []}')
    with pytest.raises(RunFolderError, match="this version reads format 1"):
        load_table(tmp_path)
