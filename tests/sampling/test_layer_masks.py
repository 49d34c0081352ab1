import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.llama import modeling_llama

from codesample.errors import ModelError
from codesample.sampling.layer_masks import layer_shapes
from codesample.testing.models import random_model


@pytest.fixture
def masked(monkeypatch):
    """Let llama models add a rule to their masks, or replace them."""
    whole = modeling_llama.create_causal_mask

    def add(**rules):
        monkeypatch.setattr(modeling_llama, "create_causal_mask", lambda **kw: whole(**(kw | rules)))

    return add


def chunks_of(size):
    return lambda _b, _h, q, k: q // size == k // size


@pytest.mark.parametrize(
    "rule",
    [
        chunks_of(8192),
        chunks_of(5000),
        lambda _b, _h, q, k: q - k < 4096,
        lambda _b, _h, q, k: (q - k < 1024) | (k < 4),
        lambda _b, _h, q, k: (q - k) % 2 == 0,
        lambda _b, _h, q, k: (q - k < 64) | (k % 64 == 0),
    ],
    ids=["chunks", "chunks of the config", "window", "window with sinks", "strides", "landmarks"],
)
def test_a_rule_in_the_mask_is_seen_at_any_length(masked, llama, rule, monkeypatch):
    monkeypatch.setattr(llama.config, "attention_chunk_size", 5000, raising=False)
    masked(and_mask_function=rule)
    with pytest.raises(ModelError, match="the window of layer 0 is in its mask alone"):
        layer_shapes(llama)


def test_later_tokens_in_the_mask_are_refused(masked, llama):
    masked(or_mask_function=lambda _b, _h, q, k: k < 100)
    with pytest.raises(ModelError, match="attend to later ones"):
        layer_shapes(llama)


def test_another_mask_than_that_of_the_window_it_names_is_refused():
    model = random_model("gemma2")
    assert layer_shapes(model)
    windowed = model.config.layer_types.index("sliding_attention")
    model.model.layers[windowed].self_attn.sliding_window += 1
    with pytest.raises(ModelError, match=f"mask of layer {windowed} is not that of its window of 25 tokens"):
        layer_shapes(model)


def test_weights_without_numbers_are_enough(llama):
    with torch.device("meta"):
        skeleton = AutoModelForCausalLM.from_config(llama.config)
    assert layer_shapes(skeleton) == layer_shapes(llama)
    assert len(layer_shapes(llama)) == llama.config.num_hidden_layers
