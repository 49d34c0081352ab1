"""Checkpoints with random weights in the shapes of known models, for transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel, Qwen2Config

from codesample.bench.model_shapes import DECODERS, DecoderShape

__all__ = ["SHAPES", "checkpoint_bytes", "random_checkpoint"]

_SMALL: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 16384,
    "tie_word_embeddings": True,
}


def _qwen(hidden: int, intermediate: int, layers: int, heads: int) -> Qwen2Config:
    """Return one of Qwen2.5-Coder's published configurations."""
    return Qwen2Config(
        vocab_size=151936,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=2,
        max_position_embeddings=32768,
        tie_word_embeddings=True,
    )


def _llama(shape: DecoderShape) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        # positions for long prompts
        max_position_embeddings=65536,
    )


SHAPES: dict[str, PreTrainedConfig] = {
    "0.1b-mha": LlamaConfig(**_SMALL, num_key_value_heads=12),
    "0.1b-gqa": LlamaConfig(**_SMALL, num_key_value_heads=4),
    "qwen2.5-coder-0.5b": _qwen(896, 4864, 24, 14),
    "qwen2.5-coder-1.5b": _qwen(1536, 8960, 28, 12),
    **{name: _llama(shape) for name, shape in DECODERS.items()},
}
"""Shapes by name."""


def checkpoint_bytes(shape: str, dtype: torch.dtype) -> int:
    """Return the bytes of a model's weights, without making them."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(SHAPES[shape], dtype=dtype)
    return sum(each.nbytes for each in model.parameters())


def random_checkpoint(shape: str, *, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model with random weights, made on the device, that never ends a candidate by itself."""
    torch.manual_seed(0)
    # billions of weights take minutes on a CPU and seconds on a GPU
    with device:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(SHAPES[shape], dtype=dtype)
    model.to(device).eval()  # type: ignore[arg-type]
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model
