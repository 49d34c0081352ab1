"""`codesample eval --shard` and `codesample merge` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warm_commands import call, refusal

FEW = ["--limit", "2", "--n", "2", "-r", "mean_logprob", "--dtype", "float64", "--workers", "1"]
FEW += ["--allow-weak-isolation", "none", "--skip-health-check"]


@pytest.mark.slow
def test_shards_and_a_merge(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        done = call("eval", "mini", *FEW, "--shard", f"{number}/3", "--out", f"s/{number}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        title = f"mini, tiny: shard {number}/3, 1 problem x 2" if number < 3 else ""
        assert title in done.stdout
        assert "problem" in done.stderr
    assert done.stdout == ""
    assert "shard 3/3 has none of the problems; there is nothing to do" in done.stderr
    done = call("merge", "s/1", "s/2", "s/3", "--out", "m", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert (content["problems"], content["samples"], content["run"]) == (2, 4, "m")
    for words in (["report", "m"], ["show", "m"], ["show", "m", "0"], ["compare", "m", "s/1"]):
        done = call(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "1 of 3 shards are not there: 1/3" in refusal("merge", "s/2", "s/3", "--out", "n", cwd=tmp_path)
    assert "there is nothing to show" in refusal("show", "s/3", cwd=tmp_path)


def test_a_shard_that_has_no_problem_takes_no_model(tmp_path: Path) -> None:
    words = ["eval", "mini", *FEW, "--shard", "7/9", "--out", "empty"]
    done = call(*words, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["problems"]) == (0, 0), done.stderr
    assert "holds a run already" in refusal(*words, cwd=tmp_path)
    assert call(*words, "--resume", cwd=tmp_path).returncode == 0
    assert "there is nothing to do" in refusal(*words, "--resume", "--dry-run", cwd=tmp_path)
    assert not (tmp_path / "empty" / "samples.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["eval", "mini", "--shard", "0/4"], "shards count from 1: add 1 to an index that counts from 0"),
        (["eval", "mini", "--shard", "4"], "shard = '4': expected K/N, such as 3/8 for the third of eight"),
        (["eval", "mini", "--shard", "/4"], "expected K/N"),
        (["merge"], "Missing argument"),
        (["merge", "nowhere"], "nowhere: not a run folder (there is no such folder)"),
        (["merge", "."], "not a run folder"),
        (["merge", "nowhere", "--data", "x", "--out", "y"], "nowhere: not a run folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    assert said in refusal(*words, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
