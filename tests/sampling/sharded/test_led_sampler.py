"""An evaluation by two processes of torchrun: the first one leads, and the end of one is the end of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from codesample import ModelOptions, RunOptions, SamplingParams, evaluate, read_problems, tensor_parallel
from codesample.errors import ParameterError
from codesample.runs import RunFolder
from codesample.sampling.sharded import led_sampler

WORDS = ("eval", "mini", "--limit", "12", "-n", "6", "--dtype", "float64", "--max-new-tokens", "60")
# seconds from the death of one process to the end of all
LIMIT = 60.0


def test_one_process_has_whole_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with tensor_parallel() as first:
        assert first


@pytest.mark.parametrize("changed", [{"cpu_matmul": "int8"}, {"cpu_matmul": "bfloat16"}, {"compile": True}])
def test_what_a_divided_model_cannot_do_is_refused_before_its_weights_are_looked_for(
    changed: dict[str, Any],
) -> None:
    team: Any = SimpleNamespace(size=2, device=torch.device("cpu"))
    with pytest.raises(ParameterError, match=r"divided among 2 processes, .*leave it out"):
        led_sampler._shard(team, "/no/such/folder", ModelOptions("/no/such/folder", **changed))


@pytest.mark.slow
def test_run_goes_on_after_the_death_of_one(
    divisible: Path, tmp_path: Path, two_processes: Callable[..., subprocess.Popen[str]]
) -> None:
    run, words = tmp_path / "run", ("-m", "codesample", *WORDS, "--model", divisible / "llama", "--out")
    started = two_processes(*words, run)
    wait_for(lambda: (run / "samples.jsonl").exists() and (run / "samples.jsonl").stat().st_size > 0)
    os.kill(rank_one(started.pid), signal.SIGKILL)
    died = time.monotonic()
    said, _ = started.communicate(timeout=LIMIT)
    assert time.monotonic() - died < LIMIT
    assert started.returncode != 0
    assert said.count("error: one of the 2 processes that hold the model has ended") == 1, said
    assert "go on with: torchrun --nproc-per-node 2 -m -- codesample eval mini" in said
    kept = len(RunFolder.open(run).sampled)
    assert 0 < kept < 72
    said, _ = two_processes(*words, run, "--resume").communicate(timeout=240)
    # the first one alone prints
    assert said.count("pass@1") == 2, said
    alone = evaluate(
        read_problems("mini", limit=12),
        model=ModelOptions(str(divisible / "llama"), dtype="float64"),
        n=6,
        params=SamplingParams(max_new_tokens=60),
        run=RunOptions(out=tmp_path / "alone"),
    )
    assert drawn(run).keys() == drawn(tmp_path / "alone").keys()
    for key, (ids, logprobs) in drawn(tmp_path / "alone").items():
        assert drawn(run)[key][0] == ids, key
        assert drawn(run)[key][1] == pytest.approx(logprobs, abs=1e-10), key
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert results["pass_at_k"] == alone.as_json()["pass_at_k"]
    model = json.loads((run / "run.json").read_text(encoding="utf-8"))["sessions"][-1]["model"]
    assert model["tensor_parallel"]["processes"] == 2


def wait_for(there: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)


def rank_one(launcher: int) -> int:
    return next(each.pid for each in psutil.Process(launcher).children() if each.environ().get("RANK") == "1")


def drawn(run: Path) -> dict[tuple[str, int], tuple[tuple[int, ...], tuple[float, ...]]]:
    samples = RunFolder.open(run).samples()
    return {(each.task_id, each.index): (each.token_ids, each.logprobs) for each in samples}
