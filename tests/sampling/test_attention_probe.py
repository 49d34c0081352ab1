import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    Gemma3TextConfig,
    LlamaConfig,
    Phi3Config,
    PhimoeConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    RwkvConfig,
)
from transformers.integrations import sdpa_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from codesample.errors import ModelError
from codesample.sampling import Sampler
from codesample.sampling.attention_hook import attached, detached, settle_on_eager
from codesample.sampling.attention_probe import probe_shared_path
from codesample.testing.models import ARCHITECTURES, byte_tokenizer, random_model

SIZES = {
    "vocab_size": 60,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 128,
}
EXPERTS = {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8}
WINDOW = {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 2}


def probed(config):
    torch.manual_seed(0)
    return probe_shared_path(AutoModelForCausalLM.from_config(config).eval())


@pytest.mark.parametrize(
    "config",
    [
        Qwen2MoeConfig(**SIZES, **EXPERTS, **WINDOW, shared_expert_intermediate_size=8),
        PhimoeConfig(**SIZES, num_local_experts=2, sliding_window=24),
    ],
    ids=lambda config: config.model_type,
)
def test_a_window_that_only_the_mask_holds_is_left_to_the_model(config):
    found = probed(config)
    assert not found.kv_shapes
    assert "layer 0 is in its mask alone" in found.notice


@pytest.mark.parametrize(
    "config",
    [
        Qwen2MoeConfig(**SIZES, **EXPERTS, shared_expert_intermediate_size=8),
        PhimoeConfig(**SIZES, num_local_experts=2),
        Qwen2Config(**SIZES, **WINDOW),
    ],
    ids=["qwen2_moe without", "phimoe without", "qwen2 with"],
)
def test_no_window_and_one_that_is_passed_on_take_the_shared_path(config):
    assert len(probed(config).kv_shapes) == 2


@pytest.mark.parametrize(
    ("rope", "switch"),
    [
        ({"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}, 48),
        ({"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}, 64),
    ],
)
def test_longrope_is_steady_up_to_the_length_of_pretraining(rope, switch):
    config = Phi3Config(**SIZES, rope_parameters=rope, original_max_position_embeddings=switch)
    found = probed(config)
    assert found.kv_shapes
    assert found.rope_switch == switch


def test_dynamic_rope_is_steady_below_the_models_own_positions():
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    assert probed(LlamaConfig(**SIZES, rope_parameters=rope)).rope_switch == 127


def test_rope_of_one_kind_of_layer_counts_as_well():
    rope = {
        "full_attention": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    assert probed(Gemma3TextConfig(**SIZES, head_dim=16, rope_parameters=rope)).rope_switch == 127


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_models_have_no_switch(architecture):
    assert probe_shared_path(random_model(architecture)).rope_switch is None


def test_a_model_whose_tokens_see_later_ones_is_refused():
    sizes = {k: v for k, v in SIZES.items() if k != "num_key_value_heads"}
    with pytest.raises(ModelError, match="BertLMHeadModel lets tokens see later ones"):
        probed(BertConfig(**sizes))
    assert probed(BertConfig(**sizes, is_decoder=True)).kv_shapes


def test_a_step_that_does_not_follow_from_the_cache_reads_everything_again(monkeypatch):
    assert probed(RwkvConfig(vocab_size=60, hidden_size=32, num_hidden_layers=2)).cached
    model = random_model("bloom")
    forward = model.forward

    def off_by_one(input_ids, position_ids=None, **kwargs):
        output = forward(input_ids, **kwargs)
        if kwargs.get("past_key_values") is not None or kwargs.get("cache") is not None:
            output.logits = output.logits.roll(1, -1)
        return output

    monkeypatch.setattr(model, "forward", off_by_one)
    assert not probe_shared_path(model).cached


def test_attention_that_leaves_out_a_soft_cap_is_not_the_reference(monkeypatch, caplog):
    whole = sdpa_attention.sdpa_attention_forward

    def without_cap(module, query, key, value, mask, softcap=None, **kwargs):
        return whole(module, query, key, value, mask, **kwargs)

    model = random_model("gemma2").double()
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "sdpa", without_cap)
    model.config._attn_implementation = "sdpa"
    for layer in model.model.layers:
        layer.self_attn.attn_logit_softcapping = 0.5
    found = probe_shared_path(model)
    assert found.kv_shapes
    assert "attention 'sdpa' leaves out a part of the model's" in caplog.text
    ids = torch.randint(0, 250, (1, 30))
    with torch.inference_mode():
        with detached(model):
            own = model(ids).logits
        assert model.config._attn_implementation == "sdpa"
        left_out = model(ids).logits
        model.config._attn_implementation = "eager"
        eager = model(ids).logits
    torch.testing.assert_close(own, eager)
    assert (left_out - eager).abs().max() > 0.01


def test_a_model_whose_own_attention_was_settled_is_sampled_when_it_has_changed(monkeypatch):
    model = random_model("llama", seed=5)
    sampler = Sampler(model, tokenizer=byte_tokenizer())
    with attached(model):
        settle_on_eager(model)
    model.model.layers[0].mlp.register_forward_hook(lambda *_: None)
    expected = sampler.sample("ab", max_new_tokens=2)
    assert sampler.checkpoint.shared
    assert Sampler(model, tokenizer=byte_tokenizer()).sample("ab", max_new_tokens=2) == expected


def test_windows_of_some_dozen_tokens_are_read_past(monkeypatch):
    model = random_model("mistral")
    lengths = []
    forward = model.forward
    monkeypatch.setattr(
        model,
        "forward",
        lambda input_ids, **kw: (lengths.append(input_ids.shape[1]), forward(input_ids, **kw))[1],
    )
    assert probe_shared_path(model).kv_shapes
    assert max(lengths) > 24
