"""Models that are loaded already: taken as they are, or refused with what to give instead."""

from __future__ import annotations

import sys
from typing import Any

import torch
from transformers import PreTrainedModel

from codesample.errors import ModelError, ParameterError, WrongTypeError
from codesample.sampling.loading.adapters import adapted_model
from codesample.sampling.loading.model_kind import expect_causal
from codesample.sampling.loading.tensor_plan import expect_shares
from codesample.sampling.sharded.ranks import ranks_of

__all__ = ["given_model"]

# modules around a model: where the model is in them, and what is amiss with them
_AROUND = {
    "torch._dynamo.eval_frame:OptimizedModule": (
        "compiled",
        "model._orig_mod (step='compiled' compiles decode steps)",
    ),
    "torch.nn.parallel.data_parallel:DataParallel": ("spread over devices", "model.module"),
    "torch.nn.parallel.distributed:DistributedDataParallel": ("wrapped for training", "model.module"),
    "torch.distributed.fsdp.fully_sharded_data_parallel:FullyShardedDataParallel": (
        "in shards, of which each process has its own",
        "a model with all of its weights, saved from it and loaded again",
    ),
    "deepspeed.runtime.engine:DeepSpeedEngine": ("wrapped for training", "engine.module"),
    "transformers.pipelines.base:Pipeline": (
        "a pipeline",
        "its parts: Sampler(pipe.model, tokenizer=pipe.tokenizer)",
    ),
    "trl.models.modeling_value_head:AutoModelForCausalLMWithValueHead": (
        "a model with a value head",
        "model.pretrained_model",
    ),
}


def given_model(model: Any) -> PreTrainedModel:
    """Return the causal language model that was given; of a `PeftModel`, the adapted model in it.

    Raises:
        WrongTypeError: it is none.
        ParameterError: it is something around one; says what to give instead.
        ModelError: a model of another kind, or one that is spread over several devices.
    """
    for place, (what, instead) in _AROUND.items():
        if _is(model, place):
            raise ParameterError(f"the model is {what} ({type(model).__name__}); give {instead}")
    name = _name(model)
    if _is(model, "peft.peft_model:PeftModel"):
        model = adapted_model(model, name=name)
    if not isinstance(model, PreTrainedModel):
        kind = type(model)
        raise WrongTypeError(
            f"the model is {kind.__module__.partition('.')[0]}.{kind.__qualname__}; expected a name, a "
            "folder, or a causal language model of transformers or peft"
        )
    if getattr(model, "_compiled_call_impl", None) is not None:
        raise ParameterError(
            "the model is compiled in place (model.compile()); load it again without that, step='compiled' "
            "compiles decode steps"
        )
    _expect_kind(model, name)
    _expect_one_device(model, name)
    if not model.training:
        expect_causal(model, name=name)
    return model


def _name(model: Any) -> str:
    return getattr(model, "name_or_path", "") or type(model).__name__


def _is(model: Any, place: str) -> bool:
    """Whether an object is of a class that is there only if its module was imported."""
    module, _, name = place.partition(":")
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(model, kind)


def _expect_kind(model: PreTrainedModel, name: str) -> None:
    kind = type(model).__name__
    if model.config.is_encoder_decoder:
        raise ModelError(f"{name}: {kind} is an encoder-decoder; expected a decoder alone, a causal model")
    if model.get_output_embeddings() is None and not model.can_generate():
        raise ModelError(
            f"{name}: {kind} has no language-modelling head, so there is nothing to sample from; give a "
            "causal language model (...ForCausalLM)"
        )


def _expect_one_device(model: PreTrainedModel, name: str) -> None:
    """Refuse weights on several devices; those kept on the host or a disk until they are used are on one."""
    if (ranks := ranks_of(model)) is not None:
        expect_shares(model.config, model.tp_plan, ranks.size, name=name)
    placed = {torch.device(each.device) for each in model.parameters() if not each.is_meta}
    mapped = getattr(model, "hf_device_map", None) or {}
    placed |= {
        torch.device(each if not isinstance(each, int) else f"cuda:{each}")
        for each in mapped.values()
        if each not in ("cpu", "disk")
    }
    offloads = {"cpu", "disk"} & {str(each) for each in mapped.values()}
    devices = {each for each in placed if not (offloads and each.type == "cpu")}
    if len(devices) > 1:
        names = ", ".join(sorted(str(each) for each in devices))
        raise ModelError(
            f"{name}: its weights are on {names}; expected one device: load it with "
            "device_map={'': 'cuda:0'}, or move it with .to()"
        )
