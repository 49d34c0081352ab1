import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    Phi3Config,
    PhimoeConfig,
    Qwen2Config,
    Qwen2MoeConfig,
)

from codesample.sampling.attention_probe import probe_shared_path
from codesample.testing.models import ARCHITECTURES, random_model

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


def test_dynamic_rope_is_steady_up_to_the_models_own_positions():
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    assert probed(LlamaConfig(**SIZES, rope_parameters=rope)).rope_switch == 128


def test_rope_of_one_kind_of_layer_counts_as_well():
    rope = {
        "full_attention": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    }
    assert probed(Gemma3TextConfig(**SIZES, head_dim=16, rope_parameters=rope)).rope_switch == 128


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_models_have_no_switch(architecture):
    assert probe_shared_path(random_model(architecture)).rope_switch is None
