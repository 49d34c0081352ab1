"""Help pages: light to import, and true to the records' defaults."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.engines.model_options import ModelOptions
from codesample.evaluation.options import DEFAULT_N, DEFAULT_RERANKERS
from codesample.evaluation.test_options import SOURCES, TestOptions
from codesample.records import SamplingParams

HEAVY = {"torch", "transformers", "datasets", "evaluate", "numpy", "triton", "pyarrow", "tokenizers"}
PAGES = [
    "",
    "eval",
    "sample",
    "execute",
    "export",
    "rerank",
    "report",
    "compare",
    "list",
    "doctor",
    "tasks",
    "tasks show",
    "tasks verify",
    "bench decode",
    "bench attention",
    "bench execution",
    "bench fit",
    "bench gpu",
    "bench step",
]


def page(command: str, width: int = 200) -> str:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": str(width)})
    assert shown.exit_code == 0, shown.output
    return shown.output


@pytest.mark.parametrize("command", PAGES)
def test_every_command_has_a_page(command: str) -> None:
    assert "Usage:" in page(command)


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_a_page_is_whole_on_a_narrow_terminal(columns: int) -> None:
    script = (
        "import sys; from codesample.cli.app import run; sys.argv = ['codesample', 'eval', '--help']; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "…" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= columns
    for option in ("--allow-weak-isolation", "--memory-fraction", "--temperature"):
        assert option in done.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "codesample", "eval", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "codesample eval [OPTIONS]" in done.stdout


def test_a_help_page_imports_no_heavy_library() -> None:
    script = """
import json, sys
from codesample.cli.app import app
try:
    app(["eval", "--help"])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "--reranker" in done.stdout
    assert not HEAVY.intersection(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("--n ", DEFAULT_N),
        ("--model", ModelOptions().model),
        ("--memory-fraction", ModelOptions().memory_fraction),
        ("--temperature", SamplingParams().temperature),
        ("--top-p", SamplingParams().top_p),
        ("--seed", SamplingParams().seed),
        ("--test-samples", TestOptions().test_samples),
        ("--max-tests", TestOptions().max_tests),
        ("--max-inputs", TestOptions().max_inputs),
    ],
)
def test_defaults_shown_are_those_of_the_records(option: str, default: object) -> None:
    (line,) = [line for line in page("eval", width=400).splitlines() if option in line]
    assert f"[default: {default}]" in line


def test_the_default_rerankers_are_shown() -> None:
    text = " ".join(page("eval", width=400).split())
    assert f"[default: {', '.join(DEFAULT_RERANKERS)}]" in text


def test_without_a_command_the_help_is_shown() -> None:
    shown = CliRunner().invoke(app, [])
    assert (shown.exit_code, "Usage:" in shown.stdout) == (0, True)


@pytest.mark.parametrize("command", ["eval", "rerank"])
def test_what_is_made_for_rerankers_can_be_said_wherever_they_score(command: str) -> None:
    shown = page(command)
    for option in ("--asserts-per-sample", "--test-samples", "--test-temperature", "--test-seed", "--inputs"):
        assert option in shown
    assert all(source in shown for source in SOURCES)
