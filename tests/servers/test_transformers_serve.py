"""A real server that drops much of what it is asked: what it does is found, and nothing becomes a lie."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import codesample
from codesample import ModelOptions, RunOptions, ServerEngine, evaluate, read_problems
from codesample.errors import ParameterError
from codesample.records import Request, SamplingParams
from codesample.testing.engines import check_engine

TINY = Path(codesample.__file__).parent / "tiny" / "weights"
PARAMS = SamplingParams(max_new_tokens=12, top_p=1.0)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sampling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in model, told to sample."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    shutil.copytree(TINY, folder)
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "eos_token_id": 2}))
    return folder


@pytest.fixture(scope="module")
def url(sampling: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `transformers serve` with that model."""
    missing = subprocess.run(
        [sys.executable, "-c", "from transformers.utils.import_utils import is_serve_available as there;"
         "raise SystemExit(not there())"],
        check=False,
    ).returncode  # fmt: skip
    if missing:
        pytest.skip("needs fastapi, uvicorn and openai: pip install .[dev]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("log") / "log").open("w+")
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve"]
    command += [str(sampling), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/health"):
            log.seek(0)
            assert server.poll() is None, log.read()
            assert time.monotonic() < until, log.read()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def answers(address: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5):
            return True
    except OSError:
        return False


def test_what_it_drops_is_seen_and_refused(url: str, sampling: Path, tmp_path: Path) -> None:
    options = ModelOptions(f"openai:{sampling}", base_url=url, max_requests=1)
    engine = ServerEngine(str(sampling), options)
    seen = engine.facts.as_json()
    assert {name: seen[name] for name in ("choices", "logprobs", "seed", "temperature", "stop")} == {
        "choices": "ignored",
        "logprobs": "ignored",
        "seed": "alone",
        "temperature": "honoured",
        "stop": "kept",
    }
    assert (seen["api"], seen["unknown_fields"]) == ("completions", "refused")
    requests = (Request("one", "def f(x):\n", (0, 1)), Request("two", "def g(y):\n    return ", (0, 3)))
    assert "repeats" in check_engine(engine, requests, PARAMS).tried
    for asked, said in (
        (SamplingParams(top_k=5), "top_k = 5: .*HTTP 422.*turn it off: --top-k 0"),
        (SamplingParams(min_p=0.1), "min_p = 0.1: .*HTTP 422"),
    ):
        with pytest.raises(ParameterError, match=said):
            list(engine.stream(requests, asked))
    run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    report = evaluate(
        read_problems("mini", limit=2),
        model=options,
        n=2,
        params=PARAMS,
        run=run,
        rerankers=["text_majority"],
    )
    assert (report.samples, report.engine.reproducibility) == (4, "seeded")
    assert report.usage is not None
    assert report.usage.completion_tokens == report.tokens > 0
