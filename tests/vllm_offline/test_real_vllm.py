"""vLLM itself, where it is installed and can run: it keeps the contract and agrees with the native one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from codesample import ModelOptions, Sampler, VllmEngine
from codesample.errors import ModelError, ParameterError
from codesample.records import GivenText, Request, SamplingParams
from codesample.testing.engines import check_engine

REQUESTS = (Request("one", "def f(x):\n", (0, 1, 2)), Request("two", "def g(y):\n    return ", (0, 3)))
PLAIN = SamplingParams(max_new_tokens=24, top_p=1.0, temperature=1.0)
GREEDY = replace(PLAIN, temperature=0.0, max_new_tokens=60)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[VllmEngine]:
    if find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    options = ModelOptions(
        "tiny",
        dtype="float32",
        max_rows=16,
        engine_options=(("enforce_eager", True), ("kv_cache_memory_bytes", 2**28)),
    )
    try:
        found = VllmEngine("tiny", options)
    except (ModelError, ParameterError) as error:
        pytest.skip(f"vLLM cannot run here: {error}")
    yield found
    del found


def test_it_keeps_the_contract(engine: VllmEngine) -> None:
    tokenizer = engine._checkpoint.tokenizer
    for params in (
        PLAIN,
        SamplingParams(max_new_tokens=24, seed=5),
        SamplingParams(max_new_tokens=24, min_p=0.05, top_k=20, repetition_penalty=1.1, banned_tokens=(281,)),
    ):
        checked = check_engine(
            engine,
            REQUESTS,
            params,
            decode=lambda prompt, ids: str(tokenizer.decode(list(ids), skip_special_tokens=True)),
        )
        assert {"stops", "repeats", "cancelling", "text is decoded tokens"} < {*checked.tried}


@pytest.mark.parametrize("stop", [(), ("\n\n",), ("x", "return"), ("python:function",)], ids=str)
def test_greedy_candidates_are_those_of_the_native_engine(engine: VllmEngine, stop: tuple[str, ...]) -> None:
    native = Sampler("tiny", dtype="float32")
    asked = replace(GREEDY, stop=stop)
    theirs = {each.task_id: each for each in native.stream(REQUESTS, asked) if each.index == 0}
    for each in engine.stream(REQUESTS, asked):
        other = theirs[each.task_id]
        for name in ("completion", "token_ids", "token_ends", "finish_reason", "stop", "sampled_logprobs"):
            assert getattr(each, name) == getattr(other, name)
        assert each.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_log_probabilities_are_the_model_s_own(engine: VllmEngine) -> None:
    native = Sampler("tiny", dtype="float32")
    prompts = {each.task_id: each.prompt for each in REQUESTS}
    drawn = list(engine.stream(REQUESTS, SamplingParams(max_new_tokens=24, seed=5)))
    given = [GivenText(prompts[each.task_id], each.completion, token_ids=each.token_ids) for each in drawn]
    for each, reading in zip(drawn, native.read(given), strict=True):
        assert each.logprobs == pytest.approx(reading.logprobs, abs=1e-4)


def test_neighbouring_seeds_share_nothing(engine: VllmEngine) -> None:
    request = (Request("a", "def f(x):\n    return", tuple(range(16))),)
    one, other = (
        {each.token_ids for each in engine.stream(request, replace(PLAIN, seed=seed, max_new_tokens=20))}
        for seed in (100, 101)
    )
    assert len(one) > 8
    assert len(one & other) < 3


def test_a_command_ends_with_its_run(engine: VllmEngine, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "codesample", "eval", "mini", "--limit", "1", "--n", "2", "--workers", "1"]
    words += ["--allow-weak-isolation", "none", "--model", "vllm:tiny", "--dtype", "float32"]
    words += ["--engine-option", "enforce_eager=true", "--engine-option", f"kv_cache_memory_bytes={2**28}"]
    words += ["--max-new-tokens", "16", "--out", str(tmp_path / "run"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    # nothing of vLLM's is among it
    assert json.loads(done.stdout)
