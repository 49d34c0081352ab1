"""Checkpoints with random weights in the shapes of known models, and the prompts they are measured on."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel, Qwen2Config

__all__ = ["SHAPES", "WORKLOADS", "Workload", "random_checkpoint"]

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


SHAPES: dict[str, PreTrainedConfig] = {
    "0.1b-mha": LlamaConfig(**_SMALL, num_key_value_heads=12),
    "0.1b-gqa": LlamaConfig(**_SMALL, num_key_value_heads=4),
    "qwen2.5-coder-0.5b": _qwen(896, 4864, 24, 14),
    "qwen2.5-coder-1.5b": _qwen(1536, 8960, 28, 12),
    # the layout of Llama 2 7B, with positions for long prompts
    "7b-mha": LlamaConfig(
        vocab_size=32000,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        max_position_embeddings=65536,
    ),
}
"""Shapes by name."""


class Workload(NamedTuple):
    """Prompts and how much is drawn from each.

    Attributes:
        header: Tokens that all prompts start with.
        lengths: Tokens of each prompt behind the header.
        n: Candidates per prompt.
        new: Tokens per candidate; no candidate ends earlier.
    """

    header: int
    lengths: tuple[int, ...]
    n: int
    new: int

    def prompts(self, vocabulary: int) -> list[list[int]]:
        """Return random tokens of these lengths; the same at every call."""
        draw = random.Random(0)
        header = [draw.randrange(vocabulary) for _ in range(self.header)]
        return [header + [draw.randrange(vocabulary) for _ in range(size)] for size in self.lengths]


WORKLOADS = {
    # the 5th, 35th, 65th and 95th percentile of HumanEval's prompts at 3.3 characters a token
    "humaneval": Workload(0, (70, 112, 153, 264), 32, 128),
    # three solved examples in front, as MBPP is asked
    "mbpp-three-shot": Workload(420, (60, 75, 90, 140), 32, 128),
    "2k": Workload(0, (2048,), 32, 64),
    "8k": Workload(0, (8192,), 32, 64),
}
"""Workloads by name."""


def random_checkpoint(shape: str, *, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model with random weights that never ends a candidate by itself."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(SHAPES[shape], dtype=dtype).to(device).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model
