"""Fits a checkpoint to prompts of which a bounded number of tokens is kept, or says why it cannot be."""

from __future__ import annotations

from dataclasses import replace

from codesample.errors import ParameterError
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.layer_masks import windows_of
from codesample.sampling.rotary_shift import RotaryShift

__all__ = ["fit_frozen"]


def fit_frozen(checkpoint: Checkpoint, settings: FrozenPrompt) -> Checkpoint:
    """Return a checkpoint of the shared path as it is sampled so.

    Raises:
        ParameterError: tokens that are kept and a stride do not fit the model's positions, a layer has a
            window, or keys cannot be turned to other positions; names the model and what to do.
    """
    name, most = checkpoint.name, checkpoint.max_positions
    if most is not None and settings.kept + settings.stride > most:
        raise ParameterError(
            f"prefill = 'cascade': {settings.kept} tokens that are kept (capacity + first) and a stride of "
            f"{settings.stride} take more than the {most} positions of {name!r}; lower capacity or stride"
        )
    if checkpoint.rope_switch is not None:
        raise ParameterError(
            f"prefill = 'cascade': rotary positions of {name!r} change with length, and keys of a long "
            "prompt are turned to others; leave it out"
        )
    if windows := windows_of(checkpoint.model):
        layer, window = min(windows.items())
        raise ParameterError(
            f"prefill = 'cascade': layer {layer} of {name!r} has a window of {window} tokens, which counts "
            "by position; leave it out"
        )
    shift = RotaryShift.of(checkpoint.model, checkpoint.kv_shapes, name=name)
    return replace(checkpoint, prompt_tokens=settings.kept, shift=shift)
