"""llama.cpp's own server: what it does is found, candidates are exact, its death costs nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import write_tiny

from codesample import ModelOptions, RunOptions, Sampler, ServerEngine, evaluate, read_problems
from codesample.errors import ModelError
from codesample.records import FinishReason, Request, SamplingParams
from codesample.testing.engines import check_engine

PARAMS = SamplingParams(max_new_tokens=16, top_p=1.0, temperature=1.0)
REQUESTS = (Request("one", "def f(x):\n", (0, 1, 2)), Request("two", "def g(y):\n    return ", (0, 3)))
BINARY = os.environ.get("CODESAMPLE_LLAMA_SERVER") or shutil.which("llama-server")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BINARY is None, reason="needs llama-server on PATH, or where CODESAMPLE_LLAMA_SERVER says it is"
    ),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@contextmanager
def running(model: Path, log: Path, *, port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The server, with keys and values in float32, so that nothing but order of addition can differ."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))
        port = free.getsockname()[1]
    command = [str(BINARY), "-m", str(model), "--host", "127.0.0.1", "--port", str(port), "--parallel", "4"]
    command += [
        "-t",
        "1",
        "-c",
        "4096",
        "--flash-attn",
        "off",
        "--cache-type-k",
        "f32",
        "--cache-type-v",
        "f32",
    ]
    with log.open("ab") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 60
        while not healthy(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield server, port
    finally:
        server.kill()
        server.wait(30)


def healthy(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except OSError:
        return False


def options(port: int, **more: Any) -> ModelOptions:
    url = f"http://127.0.0.1:{port}/v1"
    return ModelOptions("openai:tiny", base_url=url, api="completions", max_requests=4, **more)


@pytest.fixture(scope="module")
def port(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running(model, tmp_path_factory.mktemp("log") / "log") as (_, port):
        yield port


def test_what_it_does_is_seen(port: int) -> None:
    seen = ServerEngine("tiny", options(port)).facts.as_json()
    wanted = {
        "software": "llamacpp",
        "choices": "honoured",
        "logprobs": "raw",
        "token_ids": True,
        "seed": "honoured",
        "seed_bits": 31,
        "temperature": "honoured",
        "stop": "trimmed",
        "names_stops": True,
        "spelling": {"repetition_penalty": "repeat_penalty"},
    }
    assert {name: seen[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "params",
    [
        PARAMS,
        replace(PARAMS, temperature=0.7, top_p=0.9, top_k=9, min_p=0.05, seed=5),
        replace(PARAMS, repetition_penalty=1.3, logit_bias=((300, 2.0),)),
        replace(PARAMS, temperature=0.0),
    ],
    ids=["plain", "filtered", "penalised", "greedy"],
)
def test_it_keeps_the_contract(port: int, params: SamplingParams) -> None:
    checked = check_engine(ServerEngine("tiny", options(port)), REQUESTS, params)
    assert {"stops", "repeats", "prefix property", "cancelling"} < {*checked.tried}


def test_greedy_candidates_are_those_of_the_native_engine(port: int) -> None:
    greedy = replace(PARAMS, temperature=0.0, max_new_tokens=40)
    # of the other one, the file's way to split texts makes other tokens
    asked = REQUESTS[:1]
    other = next(iter(Sampler("tiny", dtype="float32").stream(asked, greedy)))
    for each in ServerEngine("tiny", options(port)).stream(asked, greedy):
        assert (each.token_ids, each.completion) == (other.token_ids, other.completion)
        assert each.logprobs == pytest.approx(other.logprobs, abs=1e-3)


def test_a_stop_is_named_and_what_it_costs_is_not_hidden(port: int) -> None:
    engine = ServerEngine("tiny", options(port))
    found = list(engine.stream(REQUESTS, replace(PARAMS, stop=("turn the", "\n\n"), max_new_tokens=60)))
    stopped = [each for each in found if each.stop is not None]
    assert stopped
    for each in stopped:
        assert each.finish_reason is FinishReason.STOP
        assert each.stop in ("turn the", "\n\n")
        assert each.logprobs is None or (each.token_ends or (0,))[-1] == len(each.completion)


def test_its_death_in_mid_answer_costs_nothing_that_was_finished(model: Path, tmp_path: Path) -> None:
    problems = read_problems("mini", limit=3)
    params = replace(PARAMS, max_new_tokens=120)

    def run(name: str, port: int, **more: Any) -> Path:
        kept = RunOptions(out=tmp_path / name, workers=1, allow_weak_isolation="none", **more)
        evaluate(problems, model=options(port, max_retries=0), n=8, params=params, run=kept)
        return tmp_path / name / "samples.jsonl"

    with running(model, tmp_path / "log") as (_, port):
        whole = run("whole", port).read_text()
    with running(model, tmp_path / "log") as (server, port):
        samples = tmp_path / "killed" / "samples.jsonl"

        def kill() -> None:
            while not (samples.is_file() and samples.stat().st_size):
                time.sleep(0.002)
            server.kill()

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        with pytest.raises(ModelError, match="asked once, the last time"):
            run("killed", port)
        killer.join(60)
    before = samples.read_text().splitlines()
    assert 0 < len(before) < 24
    with running(model, tmp_path / "log") as (_, port):
        after = run("killed", port, resume=True).read_text().splitlines()
    assert after[: len(before)] == before
    assert drawn(after) == drawn(whole.splitlines())


def drawn(lines: list[str]) -> list[tuple[Any, ...]]:
    rows = [json.loads(line) for line in lines]
    return sorted((row["task_id"], row["index"], row["completion"], str(row["token_ids"])) for row in rows)
