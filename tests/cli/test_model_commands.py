"""Commands that sample, with a small random checkpoint: what they print, and how they end when stopped."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from warm_commands import call

from codesample.records import Candidate
from codesample.runs import RunFolder

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from codesample.cli import main; main()"]
N = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random checkpoint `model` and twelve problems `mine.jsonl`."""
    from codesample.testing.models import byte_tokenizer, random_model

    folder = tmp_path_factory.mktemp("place")
    random_model("llama").save_pretrained(folder / "model")
    byte_tokenizer().save_pretrained(folder / "model")
    rows = [
        {
            "task_id": f"mine/{number}",
            "prompt": f'def add(x):\n    """Return x + {number}."""\n',
            "entry_point": "add",
            "test": f"assert add(1) == {number + 1}\n",
        }
        for number in range(12)
    ]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def start(*words: object, cwd: Path) -> subprocess.Popen[str]:
    command = [*COMMAND, *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # where a shell started the tests in the background, they and their children ignore Ctrl-C
    return subprocess.Popen(command, cwd=cwd, preexec_fn=_heed_interrupts, **pipes)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def evaluation(out: Path) -> list[object]:
    settings = ["--model", "model", "--n", N, "--max-new-tokens", 48, "-r", "mean_logprob", "--max-rows", 8]
    return ["eval", "--task-file", "mine.jsonl", "--out", out, *settings, "--allow-weak-isolation", "none"]


def samples(run: Path) -> dict[tuple[str, int], Candidate]:
    with RunFolder.open(run) as folder:
        return {(each.task_id, each.index): each for each in folder.samples()}


def assert_same(ours: dict[Any, Candidate], theirs: dict[Any, Candidate]) -> None:
    assert ours.keys() == theirs.keys()
    for key, candidate in ours.items():
        assert candidate.token_ids == theirs[key].token_ids
        assert candidate.completion == theirs[key].completion
        # rows beside it change the order of sums in single precision, and the last digits with it
        assert candidate.logprobs == pytest.approx(theirs[key].logprobs, abs=1e-4)


def results(stdout: str) -> dict[str, Any]:
    content = json.loads(stdout)
    for chosen in content["rerankers"].values():
        # how long scoring took is no result
        assert chosen["cost"].pop("seconds") >= 0
    return {name: content[name] for name in ("pass_at_k", "rerankers", "samples", "tokens", "statuses")}


@pytest.fixture(scope="module")
def whole(place: Path) -> dict[str, Any]:
    done = call(*evaluation(place / "whole"), "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    return results(done.stdout)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_in_the_middle_and_resumed_equals_a_whole_one(
    stop: signal.Signals, place: Path, whole: dict[str, Any]
) -> None:
    run = place / f"stopped by {stop.name}"
    process = start(*evaluation(run), cwd=place)
    file = run / "samples.jsonl"
    while process.poll() is None and (not file.exists() or file.read_bytes().count(b"\n") < 16):
        sleep(0.05)
    process.send_signal(stop)
    out, err = process.communicate(timeout=120)
    assert 16 <= len(samples(run)) < 12 * N, err
    if stop is not signal.SIGKILL:
        assert (process.returncode, out) == (128 + stop, "")
        assert "--resume" in err.splitlines()[-1]
        assert "Traceback" not in err
    resumed = call(*evaluation(run), "--resume", "--json", cwd=place)
    assert resumed.returncode == 0, resumed.stderr
    assert results(resumed.stdout) == whole
    assert_same(samples(run), samples(place / "whole"))
    assert file.read_bytes().count(b"\n") == 12 * N


def test_sample_prints_the_candidates_of_a_prompt_as_json_lines(place: Path) -> None:
    words = ["sample", "def add(x):\n", "--model", "model", "--n", 3, "--max-new-tokens", 5]
    done = call(*words, cwd=place)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["index"] for row in rows) == [0, 1, 2], done.stderr
    assert all(len(row["logprobs"]) == len(row["token_ids"]) <= 5 for row in rows)


def test_samples_of_a_task_can_be_executed(place: Path) -> None:
    words = ["sample", "--task-file", "mine.jsonl", "--limit", 2, "--model", "model", "--n", 2]
    done = call(*words, "--max-new-tokens", 5, "--out", "drawn.jsonl", cwd=place)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    rows = [json.loads(line) for line in (place / "drawn.jsonl").read_text().splitlines()]
    tokens = sum(len(row["token_ids"]) for row in rows)
    assert done.stderr.splitlines()[-1] == f"drawn.jsonl: 4 candidates, {tokens} tokens"
    judged = call(
        *("execute", "drawn.jsonl", "--task-file", "mine.jsonl", "--allow-weak-isolation", "none", "--json"),
        cwd=place,
    )
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)["samples"] == 4


def test_sampling_says_how_much_it_decodes_together(tmp_path):
    run = call("sample", "def f(x):", "--n", 3, "--max-new-tokens", 4, "--max-rows", 2, cwd=tmp_path)
    assert len(run.stdout.splitlines()) == 3
    together = r"^candidates decoded together: 2; their keys and values: [\d.]+ KB;"
    assert re.search(together, run.stderr, re.MULTILINE)
