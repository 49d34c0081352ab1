"""What an evaluation refuses before anything is sampled, and what a run is not continued with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import (
    MetricError,
    ParameterError,
    RunFolderError,
    UnknownNameError,
)
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.records import SamplingParams
from codesample.runs import RunFolder

N = 6


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


@pytest.fixture
def report(adding, scripted_engine, options, tmp_path: Path) -> Report:
    return evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), **options)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n": 0}, ParameterError, "at least 1"),
        ({"k": (N + 1,)}, MetricError, "sample more or lower k"),
        ({"k": (0,)}, MetricError, "1 <= k"),
        ({"limit": 0}, ParameterError, "at least 1 problem"),
        ({"rerankers": ("mean_logprobs",)}, UnknownNameError, "did you mean 'mean_logprob'"),
        ({"run": RunOptions(allow_weak_isolation="confind")}, UnknownNameError, "did you mean 'confined'"),
        ({"model": "nativ:tiny"}, UnknownNameError, "unknown engine 'nativ'; did you mean 'native'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_sampled_or_written(
    changed: dict[str, Any],
    error: type[Exception],
    message: str,
    adding,
    scripted_engine,
    options,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = scripted_engine()
    with pytest.raises(error, match=message):
        evaluate(adding, **{"model": engine, **options, **changed})
    assert engine.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_not_overwritten(report: Report, adding, scripted_engine, options) -> None:
    before = (report.run / "samples.jsonl").read_bytes()
    with pytest.raises(RunFolderError, match="--resume"):
        evaluate(adding, model=scripted_engine(), run=kept(report.run), **options)
    assert (report.run / "samples.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"temperature": 0.5},
        {"max_new_tokens": 5},
        {"stop": ("x",)},
        {"logit_bias": ((3, 1.0),)},
        {"allowed_tokens": (1, 2)},
        {"banned_tokens": (7,)},
    ],
)
def test_other_settings_do_not_continue_a_run(
    changed: dict[str, Any], report: Report, adding, scripted_engine, options
) -> None:
    (name,) = changed
    with pytest.raises(RunFolderError, match=name):
        evaluate(
            adding,
            model=scripted_engine(),
            run=kept(report.run, resume=True),
            params=SamplingParams(**changed),
            **options,
        )


def test_samples_of_another_origin_are_not_taken_for_the_runs_own(
    adding, scripted_engine, options, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    row = {"task_id": "adding/1", "completion": "    return 0\n", "index": 0}
    (run / "samples.jsonl").write_text(json.dumps(row) + "\n")
    engine = scripted_engine()
    with pytest.raises(RunFolderError, match=r"holds samples\.jsonl"):
        evaluate(adding, model=engine, run=kept(run), **options)
    assert engine.asked == []
    assert [each.name for each in run.iterdir()] == ["samples.jsonl"]


def test_other_weights_under_one_name_do_not_continue_a_run(
    adding, scripted_engine, options, tmp_path: Path
) -> None:
    def engine(dtype: str, device: str) -> Any:
        made = scripted_engine()
        made.describe = lambda: {"name": "scripted", "dtype": dtype, "device": device}
        return made

    run = tmp_path / "run"
    evaluate(adding, model=engine("float32", "cpu"), run=kept(run), **options)
    with pytest.raises(RunFolderError, match="dtype is 'bfloat16', the run has 'float32'"):
        evaluate(
            adding, model=engine("bfloat16", "cpu"), run=kept(run, resume=True), **{**options, "n": N + 2}
        )
    evaluate(adding, model=engine("float32", "cuda:0"), run=kept(run, resume=True), **options)


def test_a_checkpoint_that_was_overwritten_does_not_continue_a_run(
    adding, scripted_engine, options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codesample.evaluation.plan.open_engine", lambda options: scripted_engine())
    folder, run = tmp_path / "model", tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"before")
    evaluate(adding, model=folder, run=kept(run), **options)
    evaluate(adding, model=folder, run=kept(run, resume=True), **options)
    (folder / "model.safetensors").write_bytes(b"after!")
    with pytest.raises(RunFolderError, match="checkpoint is"):
        evaluate(adding, model=folder, run=kept(run, resume=True), **{**options, "n": N + 2})


def test_a_file_in_the_place_of_the_folder_is_refused(
    adding, scripted_engine, options, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "taken" / "run"), **options)


def test_a_refusal_in_a_run_that_holds_something_takes_nothing_away(
    report: Report, adding, scripted_engine, options
) -> None:
    def refuse(count: int) -> None:
        raise ParameterError("no such token")

    again = kept(report.run, resume=True)
    with pytest.raises(ParameterError):
        evaluate(adding, model=scripted_engine(refuse), run=again, **{**options, "n": N + 1})
    with RunFolder.open(report.run) as run:
        assert len(run.sampled) == 4 * N
