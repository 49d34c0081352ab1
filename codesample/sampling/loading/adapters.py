"""PEFT adapters: put on a model as peft puts them, with every one of their weights, or refused by name.

The model that is sampled from is the base with the adapter's layers in it. What peft does around the model
instead, such as prompt tuning, is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import CodesampleError, ModelError
from codesample.sampling.loading.checkpoint_origin import AdapterOrigin
from codesample.sampling.loading.weight_files import named_some

__all__ = ["adapted_model", "with_adapter"]

_WITHIN = "base_model.model."
_TASKS = {None, "CAUSAL_LM"}
_AROUND = {"XLORA", "POLY"}


def with_adapter(model: PreTrainedModel, adapter: AdapterOrigin) -> PreTrainedModel:
    """Return a model with an adapter's layers in it; the model itself is changed.

    Raises:
        ModelError: peft is not installed, the adapter is of a kind that is not weights, is for another task
            or another base, or its weights are not all there; says which.
        HubUnavailableError: it is not on this machine, with the hub out of reach.
    """
    from codesample.sampling.loading.load_errors import adapter_error

    peft = _peft(adapter.name)
    try:
        config = peft.PeftConfig.from_pretrained(adapter.source, revision=adapter.revision)
        _expect_weights(config, adapter.name)
        given: Mapping[str, Tensor] = peft.utils.load_peft_weights(
            adapter.source, device="cpu", revision=adapter.revision
        )
        _resize(model, given)
        with warnings.catch_warnings():
            # of weights that are not there, and of a base that is tied: both are looked at here
            warnings.simplefilter("ignore")
            wrapped = peft.PeftModel(model, config)
            _expect_same_weights(wrapped, given, adapter.name, config)
            wrapped.load_adapter(
                adapter.source, "default", revision=adapter.revision, torch_device=str(model.device)
            )
        wrapped.eval()
    except CodesampleError:
        raise
    except Exception as error:
        raise adapter_error(error, adapter) from error
    return adapted_model(wrapped, name=adapter.name)


def adapted_model(wrapped: Any, *, name: str) -> PreTrainedModel:
    """Return the model inside of a `PeftModel`, with the adapters' layers in it.

    Raises:
        ModelError: what an adapter does, it does around the model and not in it, or the model is none of
            transformers.
    """
    for config in wrapped.peft_config.values():
        _expect_weights(config, name)
    model = wrapped.get_base_model()
    if not isinstance(model, PreTrainedModel):
        raise ModelError(f"{name}: adapts {type(model).__name__}, which is no model of transformers")
    if not model.training:
        _expect_all_inside(wrapped, model, name)
    return model


def _peft(name: str) -> Any:
    try:
        import peft
    except ImportError as error:
        raise ModelError(
            f"{name}: an adapter needs peft ({error}): pip install 'codesample[peft]'"
        ) from error
    return peft


def _expect_weights(config: Any, name: str) -> None:
    """Refuse an adapter that is not weights in the model's layers, or is for another task."""
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    around = config.is_prompt_learning or kind in _AROUND or getattr(config, "alora_invocation_tokens", None)
    if around:
        what = "activated LoRA" if getattr(config, "alora_invocation_tokens", None) else kind
        raise ModelError(
            f"{name}: is an adapter of the kind {what}, which changes what the model is given and not its "
            "weights; expected one whose weights are in the model's layers, such as LORA"
        )
    task = getattr(config.task_type, "value", config.task_type)
    if task not in _TASKS:
        raise ModelError(
            f"{name}: is an adapter for the task {task}, which has no language-modelling head; expected "
            "CAUSAL_LM"
        )


def _resize(model: PreTrainedModel, given: Mapping[str, Tensor]) -> None:
    """Give the model as many tokens as the adapter's own embeddings have, where it brings some."""
    embeddings: Any = model.get_input_embeddings()
    name = next((key for key, module in model.named_modules() if module is embeddings), None)
    for key, value in given.items():
        bare = key.removeprefix(_WITHIN).replace(".modules_to_save", "").replace(".base_layer", "")
        if bare == f"{name}.weight" and value.shape[1:] == embeddings.weight.shape[1:]:
            if value.shape[0] != embeddings.weight.shape[0]:
                model.resize_token_embeddings(value.shape[0], mean_resizing=False)
            return


def _expect_same_weights(wrapped: Any, given: Mapping[str, Tensor], name: str, config: Any) -> None:
    """Refuse an adapter that lacks weights, has too many, or some of another shape."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    given = {key: value for key, value in given.items() if not _said_twice(key, value, given)}
    # weights of the base that come with the adapter, such as embeddings of new tokens
    base = {key: value for key, value in wrapped.state_dict().items() if key in given}
    taken = base | expected
    missing, left_over = sorted(set(expected) - set(given)), sorted(set(given) - set(taken))
    for_base = config.base_model_name_or_path
    whose = f"; adapter_config.json says that it is for {for_base}" if for_base else ""
    if missing:
        raise ModelError(
            f"{name}: {len(missing)} of the {len(expected)} weights that the adapter puts into this model "
            f"are not in its files: {named_some(missing)}{whose}"
        )
    if left_over:
        raise ModelError(
            f"{name}: {len(left_over)} of the adapter's {len(given)} weights have no place in this model: "
            f"{named_some(left_over)}{whose}"
        )
    for key, value in sorted(given.items()):
        if value.shape != taken[key].shape:
            raise ModelError(
                f"{name}: {key} is {list(value.shape)} in the adapter and {list(taken[key].shape)} in this "
                f"model: another base, or another rank than adapter_config.json says (r = "
                f"{getattr(config, 'r', None)}){whose}"
            )


def _said_twice(key: str, value: Tensor, given: Mapping[str, Tensor]) -> bool:
    """Whether a weight is there by another name as well, as peft writes those of resized embeddings."""
    other = given.get(key.replace(".modules_to_save.", "."), value)
    return other is not value and torch.equal(other, value)


@torch.inference_mode()
def _expect_all_inside(wrapped: Any, model: PreTrainedModel, name: str) -> None:
    """Refuse a wrapper that does more than call the model inside of it."""
    ids = torch.arange(4, device=model.device)[None] % model.config.get_text_config().vocab_size
    try:
        within, around = (each(input_ids=ids, use_cache=False).logits for each in (model, wrapped))
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: the adapted model cannot be run on tokens: {first[:200]}") from error
    if not torch.equal(within, around):
        raise ModelError(
            f"{name}: its adapter acts around the model and not in its layers; merge the two "
            "(merge_and_unload) and give the result"
        )
