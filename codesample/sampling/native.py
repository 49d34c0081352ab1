"""The native engine's door: opens a checkpoint by the options that every engine is opened with."""

from __future__ import annotations

from codesample.engines.contract import Engine
from codesample.engines.model_options import ModelOptions
from codesample.hub import expect_hub
from codesample.sampling.checkpoint_source import is_on_hub

__all__ = ["NATIVE_ABILITIES", "open_native"]

NATIVE_ABILITIES = frozenset({"logprobs", "confidence", "prompt_logprobs"})
"""What the native engine can do whatever the model; see `Engine.abilities`."""


def open_native(model: str, options: ModelOptions) -> Engine:
    """Sample with any causal language model of transformers, each prompt stored and read once.

    Raises:
        UnknownNameError, HubUnavailableError, ModelError: see `Sampler`.
    """
    if is_on_hub(model):
        expect_hub()
    from codesample.sampling.sampler import Sampler

    return Sampler(
        model,
        tokenizer=options.tokenizer,
        adapter=options.adapter,
        revision=options.revision,
        device=options.device,
        dtype=options.dtype,
        max_rows=options.max_rows,
        memory_fraction=options.memory_fraction,
        step="compiled" if options.compile else "auto",
        trust_remote_code=options.trust_remote_code,
    )
