"""Benchmarks refuse before they measure, and show what they measured however they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesample.bench import decode_benchmark, model_step
from codesample.bench.measurements import Measurement
from codesample.cli.app import app
from codesample.errors import ModelError

JOB: Measurement = {
    "kind": "job",
    "shape": "small",
    "workload": "short",
    "n": 4,
    "method": "generate",
    "tokens_per_second": 12.5,
    "first_token_seconds": 0.1,
    "peak_extra_mib": 3.0,
    "codesample_is_faster_by": None,
}


def bench(*words: object) -> Any:
    return CliRunner().invoke(app, ["bench", *map(str, words)])


def refused(*words: object) -> str:
    done = bench(*words)
    assert done.exit_code == 2, done.output
    return str(done.stderr)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which measurements were begun; each is of one job, and fails behind it."""
    begun: list[str] = []

    def measure(*_: object, **__: object) -> Any:
        begun.append("one")
        yield JOB
        raise ModelError("out of luck")

    monkeypatch.setattr(decode_benchmark, "measure_decode", measure)
    monkeypatch.setattr(model_step, "measure_step", measure)
    return begun


@pytest.mark.parametrize("end", [ModelError("out of luck"), KeyboardInterrupt(), MemoryError()])
def test_what_was_measured_is_shown_and_kept_when_a_benchmark_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    def measure(_: object) -> Any:
        yield JOB
        raise end

    monkeypatch.setattr(decode_benchmark, "measure_decode", measure)
    done = bench("decode", "--out", tmp_path / "new" / "rows.jsonl")
    assert done.exit_code != 0
    assert "| small | short | 4 | generate | 12.5 |" in done.stdout
    assert json.loads((tmp_path / "new" / "rows.jsonl").read_text()) == JOB


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["decode", "--rival-model", "m"], "name one: --rival NAME"),
        (["decode", "--precision", "int8"], "name one: --rival NAME"),
        (["decode", "--rival", "openvino", "--rival-model", "m", "--plot", "x.png"], "leave it out beside"),
        (["decode", "--rival", "openvino", "--rival-model", "m", "--precision", "BF16"], "unknown precision"),
        (["decode", "--rival", "openvino", "--rival-model", "/none/here"], "expected the folder of a check"),
        (["attention", "--n", "0"], "--n 0: expected whole numbers of at least 1"),
        (["attention", "--context", "0", "--own", "0"], "--context 0: expected whole numbers of at least 1"),
        (["attention", "--own", "-1"], "--own -1: expected whole numbers of at least 0"),
        (["attention", "--prompts", "1,0"], "--prompts 1,0: expected whole numbers of at least 1"),
        (["step", "--n", "-3"], "--n -3: expected whole numbers of at least 1"),
        (["policies", "--model", "tinny"], "did you mean 'tiny'?"),
        (["loop", "--profile", "."], r".: cannot be written: Is a directory"),
    ],
    ids=str,
)
def test_what_cannot_be_measured_is_refused_by_its_option(
    measured: list[str], words: list[str], said: str
) -> None:
    assert said in refused(*words)
    assert not measured


@pytest.mark.parametrize("command", ["loop", "policies"])
def test_a_model_that_is_nowhere_is_refused_before_libraries_look_for_it(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = "model 'nobody/nope' is neither a folder here nor cached"
    assert said in refused(command, "--model", "nobody/nope")


@pytest.mark.parametrize("command", ["decode", "step"])
def test_rows_that_could_not_be_kept_are_not_measured(
    tmp_path: Path, measured: list[str], command: str
) -> None:
    assert f"{tmp_path}: cannot be written: Is a directory" in refused(command, "--out", tmp_path)
    assert not measured


def test_a_shape_without_memory_for_it_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_benchmark, "lack_of_memory", lambda needed, device: f"needs {needed} bytes")
    assert "shape = '0.1b-mha' in float32 needs 4" in refused("decode", "--shape", "0.1b-mha")


def test_a_fit_of_nothing_says_so(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    assert "none of the kind attention" in refused("fit", tmp_path)
    rows.write_text('{"kind": "attention"}\n{"kind": "att')
    assert "rows.jsonl:2" in refused("fit", tmp_path)
    assert "no-such" in refused("fit", tmp_path / "no-such.jsonl")
    rows.unlink()
    assert "rows.jsonl: there is no such file" in refused("fit", tmp_path)
