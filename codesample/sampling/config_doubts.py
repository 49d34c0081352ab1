"""Settings of a model's configuration that speak of attention in words that nothing here knows.

A probe of some dozen tokens cannot see what only longer prompts show, and masks are looked at elsewhere (see
`layer_masks`). What is left are layers that choose, scale or forget by distance inside their own code; they
name it in their configuration.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from transformers import PreTrainedConfig

__all__ = ["distances", "doubts"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = _words(
    "alibi attention attn bidirectional block blocks bucket buckets causal chunk chunked chunks compress "
    "compression conv dilated dilation dynamic global hash index indexer landmark linear local logn lsh "
    "mamba mask memory ntk position positional positions prefix recurrent rel relative rope rotary segment "
    "segments sink sinks sparse ssm state stride strided swa temperature window windows yarn"
)
"""Parts of names that speak of which tokens are attended to, and how."""

_DISTANCES = _words("block chunk floor local period stride topk window")

_KNOWN = _words(
    # sizes, biases, dropout, precision and factors that are in what layers hand in
    "attention_bias attention_dropout attention_head_size attention_heads attention_hidden_size "
    "attention_multiplier attention_out_bias attention_probs_dropout_prob attention_softmax_in_fp32 "
    "attention_value_scale attn_bias attn_dropout attn_pdrop decoder_attention_heads encoder_attention_heads "
    "num_attention_heads num_attention_heads_per_layer num_ln_in_parallel_attn parallel_attn "
    "qk_rope_head_dim query_pre_attn_scalar "
    "reorder_and_upcast_attn scale_attention_softmax_in_fp32 scale_attn_by_inverse_layer_idx "
    "scale_attn_weights use_attention_bias "
    # soft caps, sinks, windows: handed in, and held against masks
    "_sliding_window_pattern attn_logit_softcapping add_full_attention_sink_bias add_swa_attention_sink_bias "
    "global_attn_every_n_layers layer_types local_attention max_window_layers "
    "prefix_dense_sliding_window_pattern sliding_window sliding_window_pattern "
    "use_bidirectional_attention use_sliding_window window_size "
    "swa_head_dim swa_num_attention_heads swa_num_key_value_heads swa_v_head_dim swa_rope_theta "
    # positions: rotated before they are handed in, by given positions
    "default_rope_theta force_rope global_rope_theta layer_rope_theta local_rope_theta "
    "max_position_embeddings max_source_positions max_target_positions n_positions no_rope_layer_interval "
    "no_rope_layers original_max_position_embeddings partial_rotary_factor position_embedding_type "
    "rope_interleave rope_interleaved rope_local_base_freq rope_parameters rope_percent rope_ratio "
    "rope_scaling rope_theta rotary_base rotary_dim rotary_emb_base rotary_pct "
    "use_learned_position_embeddings use_rope "
    # of experts, their layers, and how spectrograms are masked in training
    "attn_scale decoder_sparse_step moe_layer_end_index moe_layer_start_index num_local_experts "
    "mask_feature_length mask_feature_min_masks mask_feature_prob mask_time_length "
    "mask_time_min_masks mask_time_prob mask_token_id"
)
"""Settings that are computed here, or change nothing about it."""

_ROPES = frozenset({"default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional"})
"""Kinds of rotary frequencies that follow from given positions; see `own_forward.rope_switch` for two."""

_ROPE_SETTINGS = _words(
    "alpha attention_factor beta_fast beta_slow factor finetuned high_freq_factor llama_4_scaling_beta "
    "long_factor long_mscale low_freq_factor max_position_embeddings mrope_interleaved mrope_section mscale "
    "mscale_all_dim original_max_position_embeddings partial_rotary_factor rope_theta rope_type short_factor "
    "short_mscale truncate type"
)
"""What rotary frequencies, or factors by given position, are made of."""

_NO_EFFECT: tuple[Any, ...] = (None, False, 0, "", [], {}, ())


def doubts(config: PreTrainedConfig, known: Collection[str] = ()) -> str:
    """Name the first setting that may change attention in a way that is not computed here.

    Args:
        config: Of a text model.
        known: Settings that are computed by whoever asks.
    Returns:
        The reason, or "".
    """
    return next(_doubts(config, known), "")


def _doubts(config: PreTrainedConfig, known: Collection[str]) -> Iterator[str]:
    settings = config.to_dict()
    for rope in _ropes(settings.get("rope_parameters") or settings.get("rope_scaling")):
        kind = rope.get("rope_type") or rope.get("type") or "default"
        if kind not in _ROPES:
            yield f"its rotary positions are of the unknown kind {kind!r}"
        yield from (
            f"its rotary setting {name} is unknown here" for name in sorted(set(rope) - _ROPE_SETTINGS)
        )
    for name, value in settings.items():
        if name in _KNOWN or name in known or name in _ordinary_settings() or value in _NO_EFFECT:
            continue
        if _WORDS.intersection(part.lower() for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)):
            shown = repr(value)
            yield f"its setting {name} = {shown[:40] + '…' if len(shown) > 40 else shown} is unknown here"


def distances(config: PreTrainedConfig) -> list[int]:
    """Return the numbers of settings that speak of how far attention reaches, in tokens where they do."""
    return [
        value
        for name, value in config.to_dict().items()
        if type(value) is int and value > 0 and _DISTANCES.intersection(name.lower().split("_"))
    ]


def _ropes(given: Any) -> Iterator[Mapping[str, Any]]:
    """Yield one set of rotary settings for all layers, or one per kind of layer."""
    if isinstance(given, Mapping):
        of_kinds = [value for value in given.values() if isinstance(value, Mapping)]
        yield from of_kinds or [given]


@lru_cache(maxsize=1)
def _ordinary_settings() -> frozenset[str]:
    """Return the settings that every configuration has."""
    return frozenset(PreTrainedConfig().to_dict())
