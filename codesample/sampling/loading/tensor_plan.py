"""How transformers divides a model's layers among processes, and which models it can divide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from codesample.errors import ModelError
from codesample.sampling.loading.checkpoint_origin import CheckpointOrigin

__all__ = ["expect_plain_weights", "expect_plan", "expect_shares", "sharding"]

_HEADS = ("q_proj", "k_proj", "v_proj", "qkv_proj", "q_b_proj", "kv_b_proj", "query_key_value")
_INSTEAD = (
    "or leave the processes apart, one GPU each (--shard K/N), or put the model behind a server that "
    "divides it (--model openai:MODEL)"
)


def sharding(size: int) -> dict[str, Any]:
    """Return the arguments by which `from_pretrained` divides a model among `size` processes."""
    from transformers.distributed.configuration_utils import DistributedConfig

    settings: Any = DistributedConfig
    if "tp_plan" in {each.name for each in fields(settings)}:
        return {"distributed_config": settings(tp_plan="auto", tp_size=size)}
    return {"tp_plan": "auto", "tp_size": size}


def expect_plain_weights(origin: CheckpointOrigin, quantised: str, size: int) -> None:
    """Refuse weights that are not divided here, though transformers may have a plan for their model.

    Args:
        origin: Of the checkpoint.
        quantised: How its weights are, "" where they are not.
        size: Among how many processes.

    Raises:
        ModelError: weights of few bits, or an adapter.
    """
    if origin.gguf_file is not None or quantised:
        raise ModelError(
            f"{origin.name}: weights in {quantised or 'GGUF'} are not divided among {size} processes; give "
            f"the checkpoint in bfloat16, start it without torchrun, {_INSTEAD}"
        )
    if origin.adapter is not None:
        raise ModelError(
            f"{origin.name}: adapters are not put on a model that is divided among {size} processes; merge "
            "it (peft: model.merge_and_unload()), save the result and give that"
        )


def expect_plan(skeleton: Any, size: int, *, name: str) -> None:
    """Refuse a model that cannot be divided, before its weights are read.

    Args:
        skeleton: The model, with or without numbers.
        size: Among how many processes.
        name: The checkpoint's, for messages.

    Raises:
        ModelError: its class has no plan, or as `expect_shares`.
    """
    if not getattr(skeleton.config.get_text_config(), "base_model_tp_plan", None):
        raise ModelError(
            f"{name}: transformers has no plan (tp_plan) by which {type(skeleton).__name__} is divided among "
            f"{size} processes; start it without torchrun, {_INSTEAD}"
        )
    expect_shares(skeleton.config, skeleton.tp_plan, size, name=name)


def expect_shares(config: Any, plan: Mapping[str, str] | None, size: int, *, name: str) -> None:
    """Refuse a number of processes among which attention heads cannot be divided.

    Args:
        config: The model's.
        plan: How each layer is divided, by its name.
        size, name: As for `expect_plan`.

    Raises:
        ModelError: names the heads and numbers of processes that would do.
    """
    styles = {style for layer, style in (plan or {}).items() if layer.rpartition(".")[2] in _HEADS}
    if not any(style.endswith("colwise") for style in styles):
        return
    text = config.get_text_config()
    heads = _numbers(text.num_attention_heads)
    groups = _numbers(getattr(text, "num_key_value_heads", None) or heads)
    for counts, kind in ((heads, "attention heads"), (groups, "key/value heads")):
        for count in counts:
            if count % size:
                fit = [n for n in range(1, count + 1) if not any(each % n for each in heads + groups)]
                raise ModelError(
                    f"{name}: {count} {kind} cannot be divided among {size} processes; start "
                    f"{' or '.join(map(str, fit))}, {_INSTEAD}"
                )


def _numbers(found: int | list[int]) -> list[int]:
    """Return the heads of each layer, or of all of them."""
    return [found] if isinstance(found, int) else list(found)
