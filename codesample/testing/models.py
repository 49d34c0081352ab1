"""Small random checkpoints of many architectures, and a tokenizer for them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from transformers import (
    BloomConfig,
    Gemma2Config,
    GPT2Config,
    GPTBigCodeConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    Phi3Config,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    Starcoder2Config,
)
from transformers.models.auto import AutoModelForCausalLM

__all__ = ["ARCHITECTURES", "ORDINARY_ONLY", "byte_tokenizer", "random_model"]

VOCABULARY = 259
"""256 bytes, BOS (256), EOS (257) and padding (258)."""

_COMMON: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
}
_DECODER = _COMMON | {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_GPT = _COMMON | {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 512}

ARCHITECTURES = {
    "llama": LlamaConfig(**_DECODER),
    "qwen2": Qwen2Config(**_DECODER),
    "qwen3": Qwen3Config(**_DECODER, head_dim=32),
    "mistral": MistralConfig(**_DECODER, sliding_window=24),
    "gemma2": Gemma2Config(**_DECODER, head_dim=16, sliding_window=24, query_pre_attn_scalar=16),
    "starcoder2": Starcoder2Config(**_DECODER),
    "gpt_bigcode": GPTBigCodeConfig(**_GPT, multi_query=True),
    "phi3": Phi3Config(**_DECODER),
    "gpt_neox": GPTNeoXConfig(**{k: v for k, v in _DECODER.items() if k != "num_key_value_heads"}),
    "gpt2": GPT2Config(**_GPT),
    "opt": OPTConfig(
        **_COMMON,
        hidden_size=64,
        ffn_dim=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        word_embed_proj_dim=64,
    ),
    "bloom": BloomConfig(**_COMMON, hidden_size=64, n_layer=3, n_head=4),
}
"""Small configurations by name: all kinds of heads, windows, soft caps, learned positions."""

ORDINARY_ONLY = frozenset({"bloom"})
"""Architectures that do not route their attention through transformers' interface."""


def random_model(
    architecture: str, *, seed: int = 0, spread: float = 0.2, vocabulary: int = VOCABULARY
) -> PreTrainedModel:
    """Return a randomly initialised model in evaluation mode, fp32.

    Args:
        architecture: A key of `ARCHITECTURES`.
        seed: Of the weights.
        spread: Standard deviation of the matrices; at the usual 0.02 every next token is about as likely.
        vocabulary: Number of tokens.
    """
    torch.manual_seed(seed)
    config = deepcopy(ARCHITECTURES[architecture])
    config.vocab_size = vocabulary
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=spread)
    model.eval()
    return model


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token per byte; every text round-trips."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({symbol: i for i, symbol in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
