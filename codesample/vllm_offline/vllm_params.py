"""How tokens are chosen, in vLLM's words; what it would bend or drop is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codesample.errors import ParameterError
from codesample.records import SamplingParams
from codesample.vllm_offline.vllm_library import one_line_of

__all__ = ["drawn_with", "known_fields"]

_NEVER = {"typical_p": 1.0, "confidence": False}
# how many tokens one request may name, as its kernels are laid out
_TOKENS = 1024
# of greedy requests these are dropped, and change nothing there
_FILTERS = ("top_p", "top_k", "min_p")


def drawn_with(vllm: Any, params: SamplingParams, *, rows: int) -> dict[str, Any]:
    """Return the fields of `vllm.SamplingParams` that all candidates of a call share.

    Args:
        rows: How many tokens the model has.

    Raises:
        ParameterError: an option that vLLM does not have, or would not take as it is; names it.
    """
    for option, off in _NEVER.items():
        if (value := getattr(params, option)) != off:
            raise _refusal(option, value, "vLLM has no such option; leave it out, or load the model natively")
    bias = dict(params.logit_bias) | dict.fromkeys(params.banned_tokens, float("-inf"))
    _expect_tokens(params, rows)
    found: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "top_k": params.top_k,
        "min_p": params.min_p,
        "repetition_penalty": params.repetition_penalty,
        "frequency_penalty": params.frequency_penalty,
        "logit_bias": bias or None,
        "allowed_token_ids": list(params.allowed_tokens) or None,
    }
    _expect_kept(vllm, found, greedy=params.temperature == 0)
    return found


def known_fields(params: SamplingParams, *, processed: bool) -> dict[str, float | None]:
    """Say which fields of a candidate vLLM's log-probabilities are: by name, None, or a number for all.

    Args:
        processed: Whether they are those of the distribution drawn from, in place of the model's own.
    """
    edited = bool(
        params.logit_bias
        or params.allowed_tokens
        or params.banned_tokens
        or params.repetition_penalty != 1
        or params.frequency_penalty != 0
    )
    if params.temperature == 0:
        # the likeliest comes for certain; vLLM's processed ones are then those before the choice
        own: dict[str, float | None] = {} if processed and edited else {"logprobs": None}
        return own | {"sampled_logprobs": 0.0}
    plain = params.temperature == 1 and params.top_p == 1 and params.top_k == 0 and params.min_p == 0
    if plain and not edited:
        return {"logprobs": None, "sampled_logprobs": None}
    return {"sampled_logprobs" if processed else "logprobs": None}


def _expect_tokens(params: SamplingParams, rows: int) -> None:
    named: dict[str, Sequence[int]] = {
        "logit_bias": [token for token, _ in params.logit_bias],
        "allowed_tokens": params.allowed_tokens,
        "banned_tokens": params.banned_tokens,
    }
    for option, tokens in named.items():
        if beyond := [token for token in tokens if token >= rows]:
            raise ParameterError(f"{option}: token {beyond[0]}: the model has tokens 0 to {rows - 1}")
    counts = {
        "logit_bias with banned_tokens": len({*named["logit_bias"], *params.banned_tokens}),
        "allowed_tokens": len(set(params.allowed_tokens)),
    }
    for option, count in counts.items():
        if count > _TOKENS:
            raise ParameterError(f"{option}: {count} tokens: vLLM takes up to {_TOKENS} of them")


def _expect_kept(vllm: Any, fields: Mapping[str, Any], *, greedy: bool) -> None:
    """Have vLLM take the fields, and see that it left them as they are."""
    try:
        taken = vllm.SamplingParams(**fields)
    except Exception as error:
        # what it raises for a bad value is a class of its own in some versions
        said = one_line_of(error)
        name = next((each for each in fields if each in said), None)
        where = f"{name} = {fields[name]!r}: " if name is not None else ""
        raise ParameterError(f"{where}vLLM does not take it: {said}") from error
    for name, value in fields.items():
        if getattr(taken, name) != value and not (greedy and name in _FILTERS):
            raise _refusal(name, value, f"vLLM would make {getattr(taken, name)!r} of it; give that, or more")


def _refusal(option: str, value: object, why: str) -> ParameterError:
    return ParameterError(f"{option} = {value!r}: {why}")
