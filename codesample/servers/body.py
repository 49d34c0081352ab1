"""What is sent: the fields of a request, by the names that servers know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codesample.records import Prompt, SamplingParams
from codesample.servers.server_facts import ServerFacts

__all__ = ["PATHS", "drawn_fields", "prompt_fields"]

PATHS = {"chat": "chat/completions", "completions": "completions"}
"""By API, the endpoint behind a server's address."""


def prompt_fields(prompt: Prompt) -> dict[str, Any]:
    """Return the fields of a prompt; an answer that has begun is gone on with."""
    if isinstance(prompt, str):
        return {"prompt": prompt}
    fields: dict[str, Any] = {"messages": [{"role": each.role, "content": each.content} for each in prompt]}
    if prompt[-1].role == "assistant":
        fields |= {"continue_final_message": True, "add_generation_prompt": False}
    return fields


def drawn_fields(params: SamplingParams, facts: ServerFacts, *, stops: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of how tokens are chosen.

    What is off is said, too: a server may have a default of its own, such as the checkpoint's.
    """
    fields: dict[str, Any] = {facts.limit_field: params.token_limit}
    if facts.temperature != "refused":
        fields["temperature"] = params.temperature
    fields |= facts.neutral
    # a server that refuses a field takes none of its values, and none was asked for then
    wanted: Mapping[str, tuple[Any, Any]] = {
        "top_p": (params.top_p, 1.0),
        "top_k": (params.top_k, 0),
        "min_p": (params.min_p, 0.0),
        "repetition_penalty": (params.repetition_penalty, 1.0),
        "frequency_penalty": (params.frequency_penalty, 0.0),
    }
    fields |= facts.spelt({name: value for name, (value, off) in wanted.items() if value != off})
    if params.logit_bias:
        fields["logit_bias"] = {str(token): amount for token, amount in params.logit_bias}
    if stops:
        fields["stop"] = list(stops)
    fields |= facts.extras
    return fields | dict(facts.logprob_fields) | (dict(facts.token_id_fields) if facts.token_ids else {})
