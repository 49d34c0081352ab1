import pytest
import torch

from codesample.errors import ModelError
from codesample.sampling import Sampler


@pytest.mark.slow
def test_compiled_steps_draw_the_same_tokens(llama, tokenizer):
    plain = Sampler(llama, tokenizer=tokenizer).sample("once upon", n=5, max_new_tokens=12)
    calls = torch._dynamo.utils.counters["stats"]["calls_captured"]
    got = Sampler(llama, tokenizer=tokenizer, step="compiled").sample("once upon", n=5, max_new_tokens=12)
    assert [c.token_ids for c in got] == [c.token_ids for c in plain]
    assert torch._dynamo.utils.counters["stats"]["calls_captured"] > calls


def test_a_compiler_that_fails_is_an_error_with_a_way_out(llama, tokenizer, monkeypatch):
    def broken(*_, **__):
        raise torch._dynamo.exc.TorchDynamoException("no C++ compiler found")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: broken)
    sampler = Sampler(llama, tokenizer=tokenizer, step="compiled")
    with pytest.raises(ModelError, match="no C\\+\\+ compiler found; leave compile off"):
        sampler.sample("once", max_new_tokens=3)
