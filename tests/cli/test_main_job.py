"""The built-in model on the built-in task: the figures that the project promises of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from codesample.cli import main; main()"]


@pytest.mark.parametrize(
    "n", [pytest.param(20, marks=pytest.mark.slow), pytest.param(32, marks=pytest.mark.whole)]
)
def test_the_built_in_model_leaves_rerankers_something_to_do(n: int, tmp_path: Path) -> None:
    words = ["eval", "mini", "--n", str(n), "--k", f"1,{n}", "--json"]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, cwd=tmp_path, timeout=800)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    pass_at_1, pass_at_n = (report["pass_at_k"][k]["value"] for k in ("1", str(n)))
    assert report["samples"] == n * report["problems"]
    assert 0.15 <= pass_at_1 <= 0.6
    assert pass_at_n >= pass_at_1 + 0.25
    chosen = report["rerankers"]["public_examples,mean_logprob"]["best_of_n"]["value"]
    assert chosen >= pass_at_1 + 0.10
