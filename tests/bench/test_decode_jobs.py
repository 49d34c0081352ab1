"""Whole jobs: every method is checked before its speed is kept."""

import json

import pytest
import torch

from codesample.bench import decode_jobs, decode_methods, memory_use
from codesample.bench.decode_benchmark import measure_jobs
from codesample.bench.decode_results import decode_tables
from codesample.bench.settings import DecodeOptions
from codesample.bench.workloads import Workload
from codesample.testing.models import random_model

pytestmark = pytest.mark.usefixtures("small")


def jobs(*methods):
    return measure_jobs(DecodeOptions(shapes=("small",), workloads=("short",), methods=methods, device="cpu"))


def test_every_method_in_process_gives_a_measurement_with_its_ratio():
    names = ["generate", "repeated cache", "codesample, own caches", "codesample"]
    found = list(jobs(*names))
    assert [each["method"] for each in found] == names
    assert all(each["tokens_per_second"] > 0 and each["first_token_seconds"] > 0 for each in found)
    assert found[-1]["codesample_is_faster_by"] == 1
    assert json.loads(json.dumps(found)) == found


def test_on_a_gpu_batches_of_the_timed_size_are_compiled_before_the_clock_runs():
    assert decode_jobs._untimed_rows(32, torch.device("cuda")) == 32
    assert decode_jobs._untimed_rows(32, torch.device("cpu")) == 4
    assert decode_jobs._untimed_rows(2, torch.device("cpu")) == 2


def test_no_speed_is_given_for_a_method_that_draws_other_tokens(monkeypatch):
    def wrong(model, prompts, n, new, greedy):
        return decode_methods.Drawn([torch.zeros(n, new, dtype=torch.int64) for _ in prompts], 0.0)

    def broken(*_):
        raise NotImplementedError  # a planted rival that fails without a word

    def short(model, prompts, n, new, greedy):
        drawn = decode_methods.generate(model, prompts, n, new, greedy)
        return drawn._replace(tokens=[tokens[:, 1:] for tokens in drawn.tokens])

    for name, method in {"wrong": wrong, "broken": broken, "short": short}.items():
        monkeypatch.setitem(decode_methods.METHODS, name, method)
    found = list(jobs("wrong", "broken", "short", "codesample"))
    assert found[0]["refused"].startswith("greedy tokens are not the likeliest")
    assert found[1]["refused"] == "NotImplementedError"
    assert found[2]["refused"] == "[4, 5] tokens for [4, 6]"
    assert not any("tokens_per_second" in each for each in found[:3])
    assert found[3]["tokens_per_second"] > 0
    assert decode_tables(found).count("not shown") == 3


@pytest.mark.parametrize(("prompt", "row"), [(1, 0), (0, 3)])
def test_the_check_covers_every_prompt_and_several_rows(monkeypatch, prompt, row):
    def wrong_once(model, prompts, n, new, greedy):
        drawn = decode_methods.generate(model, prompts, n, new, greedy)
        drawn.tokens[prompt][row, -1] += 1
        return drawn

    monkeypatch.setitem(decode_methods.METHODS, "wrong once", wrong_once)
    (found,) = jobs("wrong once")
    assert "not the likeliest" in found["refused"]


def test_a_method_that_fails_while_it_is_timed_costs_its_own_measurement_only(monkeypatch):
    def failing(model, prompts, n, new, greedy):
        if not greedy:
            raise RuntimeError("out of luck\nand more")
        return decode_methods.generate(model, prompts, n, new, greedy)

    monkeypatch.setitem(decode_methods.METHODS, "failing", failing)
    found = list(jobs("failing", "codesample"))
    assert found[0]["refused"] == "RuntimeError: out of luck"
    assert found[1]["tokens_per_second"] > 0


def test_a_method_that_would_not_fit_memory_is_not_tried(monkeypatch):
    monkeypatch.setattr(memory_use, "free_memory", lambda device: 1000)
    found = list(jobs("generate", "codesample"))
    assert found[0]["refused"].endswith("0.0 GB are free")
    assert found[1]["tokens_per_second"] > 0


def test_the_ordinary_path_is_not_measured_as_the_shared_one():
    (found,) = decode_jobs.measure_job(
        random_model("bloom"), Workload(0, (5,), 2, 8), methods=["codesample"], repeats=1
    )
    assert "takes the ordinary path" in found["refused"]
