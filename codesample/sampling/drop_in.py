"""`codesample.generate(model, ...)` for `model.generate(...)`: the same call, each prompt read once."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteriaList,
    StopStringCriteria,
)
from transformers.generation.utils import GenerateDecoderOnlyOutput

from codesample.errors import ParameterError
from codesample.records.validation import validated
from codesample.sampling.generate import decode_shared
from codesample.sampling.generation_modes import refuse_other_modes

__all__ = ["generate"]

_INSTEAD = "call model.generate"


@validated
def generate(
    model: Any,
    inputs: Tensor | None = None,
    generation_config: GenerationConfig | None = None,
    *,
    stopping_criteria: Sequence[Any] | None = None,
    streamer: Any = None,
    tokenizer: Any = None,
    **others: Any,
) -> Tensor | GenerateDecoderOnlyOutput:
    """Generate as `model.generate` does, with prompts stored and read once for all their sequences.

    Greedy tokens are those of `model.generate`, and so are sampled ones from the same state of torch's
    generator, rounding aside. Rows that have ended are not computed. On a CPU in float32 linear layers
    multiply with copies of their weights, which are kept with the model and follow its changes.

    Args:
        model: A causal language model of transformers, or a `PeftModel` around one.
        inputs: [B, S], int64, left-padded token ids, or `input_ids`; padding behind a prompt is not read.
        generation_config: As for `model.generate`; its own defaults count as there.
        stopping_criteria: Those of transformers, or like them.
        streamer: Gets the prompt, then each step's tokens, [B], then its end; those of transformers take one
            sequence.
        tokenizer: Needed with `stop_strings`.
        **others: Every other argument of `model.generate`: `attention_mask`, `max_new_tokens`, `do_sample`,
            `num_return_sequences`, `stop_strings`, `logits_processor`, ...

    Returns: what `model.generate` returns: sequences [B, S + new], or `GenerateDecoderOnlyOutput`, without a
        cache; scores and logits of rows that have ended are 0.

    Raises:
        ParameterError: another kind of model, another mode than greedy decoding and sampling (beams,
            assisted, contrastive, DoLa, constrained), a cache to go on from, inputs other than token ids and
            their mask, hidden states and attentions asked for, or stop strings without a tokenizer.
        ValueError: of transformers, for arguments that it does not know.
    """
    plain = _language_model(model)
    setting = _settings(others, generation_config, plain.generation_config)
    refuse_other_modes(setting, caller="codesample.generate", instead=_INSTEAD)
    criteria = StoppingCriteriaList(stopping_criteria or ())
    stops = setting("stop_strings")
    if stops is not None:
        if tokenizer is None:
            raise ParameterError(
                f"stop_strings = {stops!r} without a tokenizer; give that of the model: "
                "generate(..., tokenizer=tokenizer)"
            )
        if not any(type(each) is StopStringCriteria for each in criteria):
            criteria.append(StopStringCriteria(tokenizer, stops))
        generation_config = _without_stop_strings(others, generation_config, plain.generation_config)
    call: Any = plain
    result: Tensor | GenerateDecoderOnlyOutput = call.generate(
        inputs,
        generation_config,
        stopping_criteria=criteria,
        streamer=streamer,
        custom_generate=_decoding(streamer),
        **others,
    )
    return result


def _language_model(model: Any) -> PreTrainedModel:
    peft: Any = sys.modules.get("peft")
    if peft is not None and isinstance(model, peft.PeftModel):
        adapter = model.active_peft_config
        if adapter.is_prompt_learning:
            raise ParameterError(
                f"the adapter is {adapter.peft_type.value}, which stands before the prompt and not in the "
                f"model's layers; {_INSTEAD}"
            )
        model = model.get_base_model()
    if not isinstance(model, PreTrainedModel):
        places = ("module", "_orig_mod", "pretrained_model")
        hint = next((f"; give what is in it: model.{name}" for name in places if hasattr(model, name)), "")
        raise ParameterError(
            f"the model is {type(model).__name__}; expected a causal language model of transformers{hint}"
        )
    if model.config.is_encoder_decoder:
        raise ParameterError(
            f"{type(model).__name__} is an encoder-decoder; expected a decoder alone; {_INSTEAD} for it"
        )
    if not model.can_generate():
        raise ParameterError(
            f"{type(model).__name__} has no language-modelling head; expected a model for causal language "
            "modelling (...ForCausalLM)"
        )
    return model


def _settings(
    given: dict[str, Any], config: GenerationConfig | None, defaults: GenerationConfig | None
) -> Callable[[str], Any]:
    """Return how to find what holds for a call: arguments before the given config before the model's."""

    def setting(name: str) -> Any:
        if name in given:
            return given[name]
        values = (getattr(each, name, None) for each in (config, defaults))
        return next((value for value in values if value is not None), None)

    return setting


def _without_stop_strings(
    given: dict[str, Any], config: GenerationConfig | None, defaults: GenerationConfig | None
) -> GenerationConfig | None:
    """Leave nothing to transformers, which loses the tokenizer on the way to a function of one's own."""
    given.pop("stop_strings", None)
    if getattr(defaults, "stop_strings", None) is not None:
        given["stop_strings"] = None
    if config is None or config.stop_strings is None:
        return config
    config = copy.deepcopy(config)
    config.stop_strings = None
    return config


def _decoding(streamer: Any) -> Callable[..., Tensor | GenerateDecoderOnlyOutput]:
    """Return what `model.generate` is to decode with; it hands no streamer on."""

    def decode(
        model: PreTrainedModel,
        input_ids: Tensor,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        **model_kwargs: Any,
    ) -> Tensor | GenerateDecoderOnlyOutput:
        return decode_shared(
            model,
            input_ids,
            logits_processor,
            stopping_criteria,
            generation_config,
            streamer,
            model_kwargs,
            instead=_INSTEAD,
        )

    return decode
