import logging
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, Lfm2Config, MambaConfig, Phi3Config, RwkvConfig

from codesample.errors import ModelError
from codesample.sampling import Sampler
from codesample.sampling.int8_matmul import int8_kernel
from codesample.sampling.packed_weights import PackedWeights
from codesample.testing.models import random_model

PROMPT = "def f(x):\n    return x + 1"
COMMON = {
    "vocab_size": 259,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
    "hidden_size": 32,
    "num_hidden_layers": 2,
}
HEADS = {"intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
STATEFUL = {
    "mamba": MambaConfig(**COMMON, state_size=8),
    "rwkv": RwkvConfig(**COMMON, attention_hidden_size=32, context_length=128),
    "lfm2": Lfm2Config(**COMMON, **HEADS, full_attn_idxs=[1]),
}


def widened(model):
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.2)
    return model.double().eval()


def made(config):
    torch.manual_seed(0)
    return widened(AutoModelForCausalLM.from_config(config))


def plain_logprobs(model, prompt_ids, candidate):
    with torch.inference_mode():
        logits = model(torch.tensor([[*prompt_ids, *candidate.token_ids]])).logits[
            0, len(prompt_ids) - 1 : -1
        ]
    return logits.log_softmax(-1).gather(-1, torch.tensor(candidate.token_ids)[:, None])[:, 0].tolist()


@pytest.mark.parametrize("architecture", STATEFUL)
def test_models_with_a_state_instead_of_keys_are_sampled_as_well(architecture, tokenizer):
    model = made(STATEFUL[architecture])
    sampler = Sampler(model, tokenizer=tokenizer)
    assert not sampler.checkpoint.shared
    prompt_ids = sampler.checkpoint.encode(PROMPT)
    params = {"n": 6, "max_new_tokens": 12, "temperature": 1.5}
    # some rows end along the way
    letter = sampler.sample(PROMPT, **params)[0].completion[5]
    candidates = sampler.sample(PROMPT, stop=letter, **params)
    assert len({len(c.token_ids) for c in candidates}) > 1
    for candidate in candidates:
        expected = plain_logprobs(model, prompt_ids, candidate)
        assert candidate.logprobs == pytest.approx(expected, abs=1e-5)


class _Memory:
    """A model that holds so many rows and no more."""

    def __init__(self, model, rows):
        self.sizes = []
        forward = model.forward

        def limited(input_ids, **kwargs):
            self.sizes.append(len(input_ids))
            if len(input_ids) > rows:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(input_ids=input_ids, **kwargs)

        model.forward = limited


def test_a_full_memory_halves_the_rows_and_changes_no_candidate(tokenizer, caplog):
    model = random_model("bloom").double()
    expected = Sampler(model, tokenizer=tokenizer).sample(PROMPT, n=9, max_new_tokens=8, stop="e")
    sampler = Sampler(model, tokenizer=tokenizer)
    memory = _Memory(model, rows=2)
    # another forward is another model, which is looked at first
    sampler.sample(PROMPT, max_new_tokens=1)
    memory.sizes.clear()
    with caplog.at_level(logging.WARNING):
        assert sampler.sample(PROMPT, n=9, max_new_tokens=8, stop="e") == expected
    assert "out of memory: going on with 2 rows at a time" in caplog.text
    assert max(memory.sizes[memory.sizes.index(2) :]) == 2


def test_a_candidate_that_does_not_fit_by_itself_is_refused(tokenizer):
    model = random_model("bloom")
    sampler = Sampler(model, tokenizer=tokenizer)
    _Memory(model, rows=0)
    with pytest.raises(ModelError, match="ran out of memory with a single candidate; lower max_new_tokens"):
        sampler.sample(PROMPT, n=3, max_new_tokens=3)


@pytest.mark.parametrize("step", ["int8", "bfloat16", "float32"])
def test_a_prompt_past_a_rotary_switch_is_multiplied_in_what_the_record_says(step, tokenizer):
    if step == "int8" and int8_kernel() is None:
        pytest.skip("no library here multiplies in 8 bits")
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    sizes = {"max_position_embeddings": 128, "original_max_position_embeddings": 20}
    model = made(Phi3Config(**COMMON, **HEADS, **sizes, rope_parameters=rope)).float()
    sampler = Sampler(model, tokenizer=tokenizer, step=step)
    assert sampler.checkpoint.shared
    assert sampler.describe()["matmul"] == step
    (found,) = sampler.sample(PROMPT, max_new_tokens=12, temperature=1.5)
    ids = sampler.checkpoint.encode(PROMPT)
    said = torch.tensor(found.logprobs)
    exact = torch.tensor(plain_logprobs(model, ids, found))
    with PackedWeights(model, step).used():
        rounded = torch.tensor(plain_logprobs(model, ids, found))
    assert not any("forward" in layer.__dict__ for layer in model.modules())
    if step == "float32":
        torch.testing.assert_close(said, exact, atol=1e-4, rtol=0)
    else:
        # steps and a pass over all tokens sum in another order, and may round a number to another side
        assert (said - rounded).norm() < 0.2 * (exact - rounded).norm()


def test_keys_are_computed_anew_where_the_rotary_positions_switch(tokenizer):
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    sizes = {"max_position_embeddings": 128, "original_max_position_embeddings": len(PROMPT) + 5}
    model = made(Phi3Config(**COMMON, **HEADS, **sizes, rope_parameters=rope))
    sampler = Sampler(model, tokenizer=tokenizer)
    sampler.checkpoint = replace(sampler.checkpoint, kv_shapes=())
    prompt_ids = torch.tensor([sampler.checkpoint.encode(PROMPT)])
    expected = model.generate(prompt_ids, max_new_tokens=20, do_sample=False)[0, len(PROMPT) :].tolist()
    assert [list(c.token_ids) for c in sampler.sample(PROMPT, n=2, temperature=0, max_new_tokens=20)] == [
        expected
    ] * 2
