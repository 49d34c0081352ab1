"""What the shell offers while a command is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesample.cli.completions import model_words, reranker_words, run_words, task_words
from codesample.cli.records import options_of
from codesample.engines.model_options import ModelOptions
from codesample.errors import RerankerError

HEAVY = {"torch", "transformers", "datasets", "numpy", "rich"}
PROGRAM = """
import json, sys
sys.argv = ["codesample"]
from codesample.cli import main
try:
    main()
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def offered(*words: str, cwd: Path) -> tuple[list[str], set[str]]:
    """Return what bash would be offered for the last word, and the modules that were loaded for it."""
    asked = {"COMP_WORDS": " ".join(["codesample", *words]), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | asked | {"_CODESAMPLE_COMPLETE": "complete_bash"},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout.split(), set(json.loads(done.stderr))


def test_names_are_offered_without_loading_what_they_stand_for(tmp_path: Path) -> None:
    found, loaded = offered("eval", "cruxeval_o", cwd=tmp_path)
    assert found == ["cruxeval_output", "cruxeval_output_cot"]
    assert not loaded & HEAVY
    assert "codesample.tasks.cruxeval" not in loaded


def test_rerankers_of_the_run_before_are_offered(tmp_path: Path) -> None:
    (tmp_path / "run" / "scores").mkdir(parents=True)
    for name in ("near", "nearer", "executable,mean_logprob"):
        (tmp_path / "run" / "scores" / f"{name}.jsonl").touch()
    found, loaded = offered("show", "run", "--lost-by", "nea", cwd=tmp_path)
    assert found == ["near", "nearer"]
    assert not loaded & HEAVY
    assert offered("compare", "run", "--rerankers", "execu", cwd=tmp_path)[0] == ["executable,mean_logprob"]
    # where none of the run's is meant
    assert offered("show", "run", "--lost-by", "mean_l", cwd=tmp_path)[0] == ["mean_logprob"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sho"], ["show"]),
        (["rerank", "x", "-r", "mean_l"], ["mean_logprob"]),
        (["rerankers", "check", "mean_l"], ["mean_logprob"]),
        (["rerankers", "fit", "x", "--features", "mean_l"], ["mean_logprob"]),
        (["rerankers", "fit", "runs/o"], ["runs/one"]),
        (["sample", "x", "--model", "ti"], ["tiny"]),
        (["show", "x", "--only", "n"], ["none-pass"]),
        (["show", ""], ["runs/one", "table"]),
    ],
)
def test_words_of_every_kind_are_offered(words: list[str], expected: list[str], tmp_path: Path) -> None:
    for folder in ("runs/one", "runs/empty", "table", ".hidden"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("runs/one/run.json", "table/table.json", ".hidden/run.json"):
        (tmp_path / file).touch()
    assert offered(*words, cwd=tmp_path)[0] == expected


def test_bash_takes_the_script_that_is_shown(tmp_path: Path) -> None:
    program = tmp_path / "codesample"
    program.write_text(f"#!{sys.executable}\nfrom codesample.cli import main\nmain()\n")
    program.chmod(0o755)
    script = """
eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 codesample --show-completion bash)"
COMP_WORDS=(codesample tasks show human); COMP_CWORD=3
_codesample_completion codesample
printf '%s\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.split() == ["humaneval", "humaneval_plus"], done.stderr


def test_the_last_of_several_names_is_completed() -> None:
    assert task_words("mini,mbpp_p") == ["mini,mbpp_plus"]
    assert "public_examples > mean_logprob" in reranker_words("public_examples > mean_lo")
    assert reranker_words("public_examples,sum_l") == ["public_examples,sum_logprob"]
    assert model_words("nat") == ["native:"]
    assert "model" in options_of(ModelOptions)


def test_run_folders_are_found_where_the_path_leads(tmp_path: Path) -> None:
    for name in ("runs/ab", "runs/ac"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").touch()
    assert run_words(f"{tmp_path}/ru") == [f"{tmp_path}/runs/ab", f"{tmp_path}/runs/ac"]
    assert run_words(f"{tmp_path}/runs/ac") == [f"{tmp_path}/runs/ac"]
    assert run_words(f"{tmp_path}/absent/x") == []
    assert run_words("\0") == []


def test_what_cannot_be_listed_offers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise RerankerError("two installed rerankers are called alike")

    monkeypatch.setattr("codesample.rerankers.registry.reranker_names", refuse)
    assert reranker_words("m") == []
