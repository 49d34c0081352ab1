"""How much of a step is not the model's."""

import json
import re
from pathlib import Path

import pytest

from codesample.bench.loop_overhead import loop_overhead, loop_profile, measure_loop
from codesample.errors import ModelError, ParameterError
from codesample.records import Request, SamplingParams
from codesample.sampling import Sampler
from codesample.testing.models import byte_tokenizer, random_model

KEPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "loop_cpu.jsonl"
REQUESTS = [Request("a", "once upon", (0, 1, 2)), Request("b", "a time", (0,))]
PARAMS = SamplingParams(max_new_tokens=6)


def test_the_overhead_is_what_the_model_does_not_take():
    model = random_model("llama")
    sampler = Sampler(model, tokenizer=byte_tokenizer(), prefix_cache=0)
    tokens = sum(len(c.token_ids) for c in sampler.stream(REQUESTS, PARAMS))
    found = loop_overhead(sampler, REQUESTS, PARAMS, repeats=1)
    assert found["tokens"] == tokens
    assert found["steps"] >= 5
    assert 0 < found["forward_seconds"] < found["seconds"]
    assert 0 < found["overhead"] < 1
    assert "forward" not in vars(model)


def test_a_measurement_says_what_was_sampled_and_has_the_keys_of_those_that_are_kept():
    sampler = Sampler(random_model("llama"), tokenizer=byte_tokenizer(), prefix_cache=0)
    found = measure_loop(sampler, REQUESTS, PARAMS, task="stories", repeats=1)
    assert (found["model"], found["task"], found["problems"], found["n"]) == (sampler.name, "stories", 2, 3)
    (kept,) = [json.loads(line) for line in KEPT.read_text().splitlines()]
    assert list(found) == list(kept)


def test_the_profile_names_functions():
    sampler = Sampler(random_model("llama"), tokenizer=byte_tokenizer(), prefix_cache=0)
    profile = loop_profile(sampler, REQUESTS, PARAMS)
    assert "Ordered by: internal time" in profile
    assert re.search(r"\w+\.py:\d+\(\w+\)", profile)


def test_a_model_on_the_ordinary_path_is_refused():
    sampler = Sampler(random_model("bloom"), tokenizer=byte_tokenizer())
    with pytest.raises(ModelError, match="ordinary path"):
        loop_overhead(sampler, REQUESTS, PARAMS)


def test_without_a_step_there_is_nothing_to_time():
    sampler = Sampler(random_model("llama"), tokenizer=byte_tokenizer(), prefix_cache=0)
    with pytest.raises(ParameterError, match="no candidate took a second token"):
        loop_overhead(sampler, REQUESTS, SamplingParams(max_new_tokens=1), repeats=1)
    assert "forward" not in vars(sampler.checkpoint.model)
