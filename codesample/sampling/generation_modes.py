"""Ways of generating that need more than rows which draw one token per step, and so are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codesample.errors import ParameterError

__all__ = ["refuse_other_modes"]

_Setting = Callable[[str], Any]


def _is_given(value: Any, setting: _Setting) -> bool:
    return value is not None and value is not False


def _is_several(value: Any, setting: _Setting) -> bool:
    return value is not None and value > 1


def _is_contrastive(value: Any, setting: _Setting) -> bool:
    # as transformers decides it
    return bool(value) and value > 0 and not setting("do_sample") and (setting("top_k") or 0) > 1


def _is_no_dynamic_cache(value: Any, setting: _Setting) -> bool:
    # "hybrid" stands in files of models with windows, and transformers takes it for none
    return value not in (None, "dynamic", "hybrid")


_MODES: dict[str, tuple[Callable[[Any, _Setting], bool], str]] = {
    "num_beams": (_is_several, "beam search"),
    "num_beam_groups": (_is_several, "diverse beam search"),
    "constraints": (_is_given, "constrained beam search"),
    "force_words_ids": (_is_given, "constrained beam search"),
    "penalty_alpha": (_is_contrastive, "contrastive search"),
    "dola_layers": (_is_given, "DoLa decoding"),
    "assistant_model": (_is_given, "assisted decoding"),
    "assistant_early_exit": (_is_given, "assisted decoding"),
    "prompt_lookup_num_tokens": (_is_given, "assisted decoding"),
    "use_mtp": (_is_given, "assisted decoding"),
    "token_healing": (_is_given, "token healing"),
    "past_key_values": (_is_given, "going on from a cache"),
    "cache_implementation": (_is_no_dynamic_cache, "a cache of transformers' own"),
    "custom_generate": (_is_given, "another custom_generate"),
    "synced_gpus": (_is_given, "generating on several GPUs in step"),
}


def refuse_other_modes(setting: _Setting, *, caller: str, instead: str) -> None:
    """Refuse what is set and is not plain decoding, greedy or by sampling.

    Args:
        setting: By name, the value of an argument of `generate` or of a generation config; None where unset.
        caller, instead: What refuses, and what serves, for the message.

    Raises:
        ParameterError: names the setting, its value and the mode that it asks for.
    """
    for name, (asks, mode) in _MODES.items():
        value = setting(name)
        if asks(value, setting):
            shown = value if isinstance(value, str | int | float) else type(value).__name__
            raise ParameterError(
                f"{name} = {shown} ({mode}): {caller} decodes greedily or samples; {instead} for it"
            )
