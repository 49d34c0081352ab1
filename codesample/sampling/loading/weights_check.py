"""Whether a loaded model has exactly the numbers of its checkpoint: nothing made up, nothing left over."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.sampling.loading.weight_files import StoredWeight, named_some

__all__ = ["expect_all_weights", "expect_numbers", "without_report"]

# computed anew by every load, or of no use to predicting the next token
_HARMLESS = re.compile(
    r"(^|\.)(rotary_emb\.\w+|inv_freq|position_ids|masked_bias|causal_mask)$"
    r"|(^|\.)(mtp|mtp_layers|mtp_block|nextn_layers)\."
    r"|^v_head\."
)
_LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.(\d+)\.")
_ADAPTER = re.compile(r"\.(lora_[A-Z]\w*|lora_embedding_[AB]|lora_magnitude_vector|hada_w\w+|oft_[rR]\w*)\b")
_WRAPPERS = {
    "_orig_mod.": "a compiled model; save model._orig_mod",
    "module.": "a wrapped model; save model.module",
    "base_model.model.": "a PEFT model; save model.merge_and_unload()",
    "pretrained_model.": "a model with a value head; save model.pretrained_model",
}


def expect_all_weights(
    model: PreTrainedModel,
    info: Mapping[str, Any],
    *,
    name: str,
    base_only: str = "",
    stored: Mapping[str, StoredWeight] | None = None,
) -> None:
    """Refuse a model of which weights were missing, left over, of another shape, or of two minds.

    Args:
        model: Loaded with `output_loading_info=True` and `ignore_mismatched_sizes=True`.
        info: What transformers then says of the load.
        name: The checkpoint's, for messages.
        base_only: Its architecture, where the config says that it has no head.
        stored: What its files hold, where that is known.

    Raises:
        ModelError: names the first of the weights, and what to do.
    """
    missing, left_over = _sorted(info["missing_keys"]), _sorted(info["unexpected_keys"])
    kind = type(model).__name__
    if info.get("error_msgs"):
        raise ModelError(f"{name}: weights cannot be loaded: {str(info['error_msgs'][0]).splitlines()[0]}")
    left_over = [each for each in left_over if not _harmless(each, model, stored)]
    _expect_no_wrapper(missing, left_over, name)
    head = _head_names(model)
    if missing and all(each in head for each in missing):
        raise ModelError(
            f"{name}: {base_only or kind} has no language-modelling head ({missing[0]} is not among its "
            "weights), so there is nothing to sample from; give a causal language model, or set "
            "tie_word_embeddings in config.json where the embeddings are its head"
        )
    if missing:
        raise ModelError(
            f"{name}: {_weights(missing)} of {kind} {_are(missing)} not in the checkpoint: "
            f"{named_some(missing)}; download or save it again, or mend config.json if that asks for more "
            "than the model has"
        )
    if info["mismatched_keys"]:
        raise ModelError(f"{name}: {_misshapen(info['mismatched_keys'], kind)}")
    if left_over:
        adapter = any(_ADAPTER.search(each) for each in left_over)
        raise ModelError(
            f"{name}: {_weights(left_over)} of the checkpoint {_have(left_over)} no place in {kind}: "
            f"{named_some(left_over)}; without {'it' if len(left_over) == 1 else 'them'} this is another "
            "model; "
            + (
                "merge the adapter and save the result, or give it as adapter="
                if adapter
                else "mend config.json, or take them out of the files if they are of no use"
            )
        )
    _expect_tied(model, name)


def expect_numbers(model: PreTrainedModel, *, name: str) -> None:
    """Refuse a loaded model with weights that were never filled or are no finite numbers.

    Raises:
        ModelError: names the first of them.
    """
    empty = [key for key, weight in model.named_parameters() if weight.is_meta]
    if empty:
        raise ModelError(f"{name}: {_weights(empty)} {_are(empty)} without numbers: {named_some(empty)}")
    broken = [key for key, weight in model.named_parameters() if not _finite(_own(weight.detach()))]
    if broken:
        raise ModelError(
            f"{name}: {_weights(broken)} {_have(broken)} values that are no finite numbers (NaN or "
            f"infinity): {named_some(broken)}; the files are damaged, or dtype is too narrow for them"
        )


@contextmanager
def without_report() -> Iterator[None]:
    """Keep transformers from printing its table of weights; what counts of it becomes an error here."""

    def wanted(record: logging.LogRecord) -> bool:
        return "LOAD REPORT" not in str(record.msg)

    loggers = [logging.getLogger(f"transformers.{each}") for each in ("modeling_utils", "integrations.peft")]
    for each in loggers:
        each.addFilter(wanted)
    try:
        yield
    finally:
        for each in loggers:
            each.removeFilter(wanted)


def _expect_no_wrapper(missing: list[str], left_over: list[str], name: str) -> None:
    for prefix, what in _WRAPPERS.items():
        if missing and left_over and all(each.startswith(prefix) for each in left_over):
            raise ModelError(
                f"{name}: its weights are named {left_over[0]} and so on: they were saved from {what}"
            )


def _expect_tied(model: PreTrainedModel, name: str) -> None:
    """Refuse weights that the config says are one and the checkpoint holds as two."""
    try:
        meant = model.get_expanded_tied_weights_keys(all_submodels=True)
        apart = sorted(set(meant) - set(model.all_tied_weights_keys))
    except AttributeError:
        return
    if apart:
        raise ModelError(
            f"{name}: {apart[0]} differs from {meant[apart[0]]}, and the config says that they are one "
            "(tie_word_embeddings); set that to false in config.json if both count, or take the one out of "
            "the files"
        )


def _harmless(key: str, model: PreTrainedModel, stored: Mapping[str, StoredWeight] | None) -> bool:
    if _HARMLESS.search(key):
        return True
    config = model.config.get_text_config()
    layer = _LAYER.search(key)
    # heads that predict several tokens at once are kept as layers behind the last
    extra = getattr(config, "num_nextn_predict_layers", None) or 0
    layers = getattr(config, "num_hidden_layers", None)
    if layer and extra and layers and layers <= int(layer[3]) < layers + extra:
        return True
    return key.endswith(".bias") and stored is not None and key in stored and _zero(key, stored[key])


def _zero(key: str, weight: StoredWeight) -> bool:
    from safetensors import safe_open

    with safe_open(weight.file, framework="pt") as file:
        return not bool(file.get_tensor(key).any())


def _own(weight: torch.Tensor) -> torch.Tensor:
    """Return what this process has of a weight."""
    own: torch.Tensor = weight.to_local() if hasattr(weight, "to_local") else weight
    return own


def _finite(weight: torch.Tensor) -> bool:
    if not weight.is_floating_point() or weight.numel() == 0 or weight.element_size() < 2:
        return True
    # one pass, and no copy: both ends are NaN where any number is
    low, high = torch.aminmax(weight)
    return bool(torch.isfinite(low) & torch.isfinite(high))


def _head_names(model: PreTrainedModel) -> set[str]:
    head = model.get_output_embeddings()
    if head is None:
        return set()
    return {key for key, module in model.named_modules() if module is head for key in _within(key, head)}


def _within(prefix: str, module: torch.nn.Module) -> Iterable[str]:
    return [f"{prefix}.{key}" for key, _ in module.named_parameters()]


def _misshapen(found: Collection[Any], kind: str) -> str:
    """Say of weights with two shapes each, the checkpoint's and the model's, what they are."""
    by_name = sorted((str(key), tuple(have), tuple(want)) for key, have, want in found)
    key, have, want = by_name[0]
    more = f", and so {len(by_name) - 1} more" if len(by_name) > 1 else ""
    return (
        f"{key} is {list(have)} in the checkpoint and {list(want)} in {kind}{more}; config.json does not "
        "describe these weights"
    )


def _sorted(keys: Iterable[str]) -> list[str]:
    """Sort names with the numbers in them counted as numbers."""
    return sorted(keys, key=lambda key: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", key)])


def _weights(names: Collection[str]) -> str:
    return "1 weight" if len(names) == 1 else f"{len(names)} weights"


def _are(names: Collection[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _have(names: Collection[str]) -> str:
    return "has" if len(names) == 1 else "have"
