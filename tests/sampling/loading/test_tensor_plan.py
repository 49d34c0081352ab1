"""Models that cannot be divided are refused by name before their weights are read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedConfig

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import AdapterOrigin, CheckpointOrigin
from codesample.sampling.loading.tensor_plan import expect_plain_weights, expect_plan, expect_shares

SMALL = {"hidden_size": 48, "num_hidden_layers": 1, "vocab_size": 32, "intermediate_size": 32}


def skeleton(config: PreTrainedConfig) -> Any:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def test_model_without_a_plan_is_refused() -> None:
    bare = skeleton(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32))
    with pytest.raises(ModelError, match=r"old: .*no plan \(tp_plan\).*GPT2LMHeadModel.*--shard K/N"):
        expect_plan(bare, 2, name="old")


@pytest.mark.parametrize(
    ("heads", "groups", "processes", "refused"),
    [
        (4, 2, 2, ""),
        (4, 4, 4, ""),
        (4, 2, 4, "2 key/value heads cannot be divided among 4 processes; start 1 or 2,"),
        (6, 3, 2, "3 key/value heads cannot be divided among 2 processes; start 1 or 3,"),
        (3, 1, 2, "3 attention heads cannot be divided among 2 processes; start 1,"),
    ],
)
def test_heads_go_to_whole_processes(heads: int, groups: int, processes: int, refused: str) -> None:
    config = LlamaConfig(**SMALL, num_attention_heads=heads, num_key_value_heads=groups, head_dim=8)
    if not refused:
        expect_plan(skeleton(config), processes, name="m")
        return
    with pytest.raises(ModelError) as refusal:
        expect_plan(skeleton(config), processes, name="m")
    assert refused in str(refusal.value)


def test_heads_that_every_process_has_are_not_divided() -> None:
    config = LlamaConfig(**SMALL, num_attention_heads=3, num_key_value_heads=3)
    expect_shares(
        config, {"layers.*.mlp.up_proj": "colwise", "lm_head": "colwise_gather_output"}, 2, name="m"
    )


@pytest.mark.parametrize(
    ("origin", "quantised", "reason"),
    [
        (CheckpointOrigin("m.gguf", "f", gguf_file="m.gguf"), "", "weights in GGUF are not divided"),
        (CheckpointOrigin("m", "f"), "gptq", "weights in gptq are not divided"),
        (CheckpointOrigin("m", "f", adapter=AdapterOrigin("a", "a")), "", "merge_and_unload"),
    ],
)
def test_weights_that_are_no_plain_numbers_are_refused(
    origin: CheckpointOrigin, quantised: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        expect_plain_weights(origin, quantised, 2)
    expect_plain_weights(CheckpointOrigin("m", "f"), "", 2)
