"""The native engine's door: opens a checkpoint by the options that every engine is opened with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.errors import ParameterError
from codesample.hub import expect_hub
from codesample.records.policy import EXACT, Policy
from codesample.sampling.checkpoint_source import is_on_hub
from codesample.sampling.sharded.rank_environment import in_team

if TYPE_CHECKING:
    from codesample.sampling.outline import Outline
    from codesample.sampling.sampler import Step

__all__ = ["DIVIDED", "NATIVE_ABILITIES", "look_at_native", "open_native"]

DIVIDED = "is for models that one process has whole; leave it out, or spread prompts over these by hosts=N"
"""Said of a policy where heads are divided among processes, each of which would choose for itself."""

NATIVE_ABILITIES = frozenset({"logprobs", "confidence", "prompt_logprobs", "stop_words"})
"""What the native engine can do whatever the model; see `Engine.abilities`."""


def look_at_native(options: ModelOptions) -> Outline:
    """Return a native model without its weights.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: see `Outline`.
    """
    _expect_hubs(options)
    from codesample.sampling.outline import Outline

    return Outline(options)


def open_native(model: str, options: ModelOptions) -> Engine:
    """Sample with any causal language model of transformers, each prompt stored and read once.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: see `Sampler`.
        ParameterError: an option of servers was set, or a policy for a model that is divided.
    """
    options.expect_loaded_here()
    _expect_hubs(replace(options, model=model))
    if (team := in_team()) is not None:
        if options.policy != EXACT and Policy.parse(options.policy).hosts == 1:
            raise ParameterError(f"policy = {options.policy!r}: {DIVIDED}")
        from codesample.sampling.sharded.led_sampler import open_led

        return open_led(team, model, options)
    from codesample.sampling.sampler import Sampler

    sampler = Sampler(
        model,
        tokenizer=options.tokenizer,
        adapter=options.adapter,
        revision=options.revision,
        device=options.device,
        dtype=options.dtype,
        max_rows=options.max_rows,
        memory_fraction=options.memory_fraction,
        step="compiled" if options.compile else cast("Step", options.cpu_matmul),
        trust_remote_code=options.trust_remote_code,
    )
    return sampler if options.policy == EXACT else sampler.with_policy(options.policy)


def _expect_hubs(options: ModelOptions) -> None:
    """Look for the hub where one is named, before a library is imported that reads its settings only then."""
    named = (options.model, options.adapter, options.tokenizer)
    if any(name is not None and is_on_hub(name) for name in named):
        expect_hub()
