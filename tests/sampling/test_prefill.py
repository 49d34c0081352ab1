"""How many tokens of prompts a pass runs, and that what is drawn does not depend on it."""

from types import SimpleNamespace

import pytest
import torch

from codesample import Sampler
from codesample.records import Request, SamplingParams
from codesample.sampling import prefill
from codesample.testing.models import byte_tokenizer, random_model

FAMILIES = ["llama", "gpt_bigcode", "gemma2"]
# two prompts that share a header, one that is torn by every pass, and a short one
REQUESTS = [
    Request(name, text, (0, 1)) for name, text in (("a", "u" * 300 + "v" * 7), ("b", "u" * 300), ("c", "w"))
]


@pytest.mark.parametrize(
    ("device", "threads", "tokens"),
    [("cpu", 1, 256), ("cpu", 2, 256), ("cpu", 6, 768), ("cpu", 64, 2048), ("cuda", 2, 2048)],
)
def test_a_pass_has_as_many_tokens_as_the_device_works_on_near_its_cores(
    monkeypatch, device, threads, tokens
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    model = SimpleNamespace(device=torch.device(device))
    assert prefill._fitting(model, 2048) == tokens
    assert prefill._fitting(model, 64) == 64


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_drawn_does_not_depend_on_how_many_tokens_a_pass_has(family, monkeypatch):
    model, tokenizer = random_model(family).double(), byte_tokenizer()
    passes: list[int] = []
    run = prefill.run_pass

    def counted(model, ids, *rest):
        passes.append(len(ids))
        return run(model, ids, *rest)

    def drawn():
        passes.clear()
        # which holds no prompts of before
        sampler = Sampler(model, tokenizer=tokenizer)
        params = SamplingParams(seed=3, max_new_tokens=12)
        found = sorted(sampler.stream(REQUESTS, params), key=lambda each: (each.task_id, each.index))
        return [(each.task_id, each.token_ids) for each in found], [each.logprobs for each in found]

    monkeypatch.setattr(prefill, "run_pass", counted)
    monkeypatch.setattr(prefill, "_PER_THREAD", 4096)
    tokens, logprobs = drawn()
    assert max(passes) > 256
    for most in (100, 33):
        monkeypatch.setattr(prefill, "_PER_THREAD", 1)
        monkeypatch.setattr(prefill, "_FEWEST", most)
        again, others = drawn()
        assert max(passes) == most
        assert again == tokens
        for ours, theirs in zip(others, logprobs, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-6)
