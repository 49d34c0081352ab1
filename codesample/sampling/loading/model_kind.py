"""Which kind of model a checkpoint is, and whether text can be sampled from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedModel
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from codesample.errors import ModelError

__all__ = ["auto_class", "base_only", "expect_causal", "expect_language_model"]

_WRITERS = {
    name
    for mapping in (MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    for name in mapping.values()
    if isinstance(name, str)
}
_WRITER = re.compile(r"For(CausalLM|ConditionalGeneration)|LMHead")
_OTHER = re.compile(r"For[A-Z]\w*$|RewardModel|EncoderModel|Classifier")
_BASE = re.compile(r"Model$")
_TOKENS = 6
# of the centred logits; in few bits, experts that get other rows with a token round differently for all
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
_COARSE = 5e-2


def expect_language_model(settings: Mapping[str, Any], *, name: str) -> None:
    """Refuse a checkpoint that was not trained to continue text, by what its config says.

    Args:
        settings: Of config.json.
        name: The checkpoint's, for messages.

    Raises:
        ModelError: an encoder-decoder, or a classifier, encoder, reward model and the like.
    """
    kinds = _architectures(settings)
    if settings.get("is_encoder_decoder"):
        kind = kinds[0] if kinds else settings.get("model_type")
        raise ModelError(f"{name}: {kind} is an encoder-decoder; expected a decoder alone, a causal model")
    if not kinds or any(kind in _WRITERS or _WRITER.search(kind) for kind in kinds):
        return
    if _OTHER.search(kinds[0]):
        raise ModelError(
            f"{name}: {kinds[0]} has no language-modelling head, so there is nothing to sample from; "
            "give the folder of a causal language model (...ForCausalLM)"
        )


def auto_class(config: Any) -> Any:
    """Return what loads a language model, or the model with eyes that it is the text part of.

    Args:
        config: Of transformers.
    """
    brings = getattr(config, "auto_map", None) or {}
    kind = config.model_type
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or "AutoModelForCausalLM" in brings:
        return AutoModelForCausalLM
    seen = kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES or "AutoModelForImageTextToText" in brings
    return AutoModelForImageTextToText if seen else AutoModelForCausalLM


def base_only(settings: Mapping[str, Any]) -> str:
    """Return the name of the architecture where it is one without a head, such as LlamaModel, else ""."""
    kinds = _architectures(settings)
    return next((kind for kind in kinds if _BASE.search(kind) and kind not in _WRITERS), "")


@torch.inference_mode()
def expect_causal(model: PreTrainedModel, *, name: str) -> None:
    """Refuse a model whose prediction at a token depends on what follows it.

    Raises:
        ModelError: it sees later tokens, as encoders do, or it cannot be run.
    """
    rows = model.config.get_text_config().vocab_size
    ids = (torch.arange(2 * _TOKENS, device=model.device) % min(rows, _TOKENS)).view(2, _TOKENS)
    ids[1, -1] = min(rows, 2 * _TOKENS) - 1
    try:
        # one row at a time: more may not fit beside the weights
        found = [model(input_ids=row[None], use_cache=False).logits[0, :-1] for row in ids]
        logits = torch.stack(found).to(torch.promote_types(found[0].dtype, torch.float32))
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: {type(model).__name__} cannot be run on tokens: {first[:200]}") from error
    centred = logits[0] - logits[0].mean(dim=-1, keepdim=True)
    moved = (logits[0] - logits[1]).norm() / centred.norm().clamp(min=1e-6)
    # not a number is for whoever draws from it to refuse
    if moved > _TOLERANCE.get(model.dtype, _COARSE):
        raise ModelError(
            f"{name}: {type(model).__name__} lets a token see those behind it, as encoders do; expected a "
            "causal language model"
        )


def _architectures(settings: Mapping[str, Any]) -> list[str]:
    return [str(kind) for kind in settings.get("architectures") or ()]
