"""A model's own forward pass over its own cache: what `generate` of transformers computes, row by row.

Positions are given, because some models count those of a new token from 0 where they are not. Rotary
frequencies that depend on the longest sequence of a pass are those of a model that has read nothing before,
and stored keys are computed anew where the model says so. Models that keep no cache of rows, or whose cached
steps do not give what a pass over all tokens gives, read all tokens again in each step.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.sampling.attention_hook import detached

__all__ = ["OwnForward", "forget_lengths", "rope_switch"]

# under which names models give and take what they have read; newer versions give one cache under several
_CACHES = ("cache", "past_key_values", "cache_params")


class OwnForward:
    """Reads rows of equal length, first their common start, then a token of each at a time.

    Args:
        model: Whose pass to run.
        cached: Whether what was read is kept, where the model keeps anything.
        around: Entered for each pass, when the model is ours.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        cached: bool = True,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._model, self._cached, self._around = model, cached, around
        takes = inspect.signature(model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._takes_positions = "position_ids" in takes
        self._switch = rope_switch(model.config.get_text_config())
        self._cache: dict[str, Any] = {}

    def begin(self, ids: Sequence[int]) -> Tensor:
        """Read one row from its start; returns the logits behind it, [1, V]."""
        self._cache = {}
        return self._read([tuple(ids)])

    def step(self, rows: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the logits behind R rows, [R, V], all but whose last tokens were read before.

        Args:
            rows: All tokens of each row, of one length.
        """
        if not self._cache or self._reads_anew(rows):
            self._cache = {}
        return self._read(rows)

    def pick(self, rows: Tensor) -> None:
        """Go on with these rows, [R] int64, of those read so far; a row may be taken more than once."""
        # meant for beams, but any rows may be taken, and unlike the methods for batches all caches have it
        for content in self._cache.values():
            content.reorder_cache(rows)

    def _reads_anew(self, rows: Sequence[tuple[int, ...]]) -> bool:
        """Tell whether the model drops the keys stored so far, of a shorter text's positions."""
        if self._switch is None or len(rows[0]) != self._switch + 1:
            return False
        prepare: Any = self._model.prepare_inputs_for_generation
        inputs = prepare(
            torch.tensor(rows, device=self._model.device),
            next_sequence_length=1,
            use_cache=True,
            **self._cache,
        )
        return not any(inputs.get(name) is not None for name in _CACHES)

    def _read(self, rows: Sequence[tuple[int, ...]]) -> Tensor:
        model, length = self._model, len(rows[0])
        ids = torch.tensor([row[-1:] for row in rows] if self._cache else rows, device=model.device)
        given: dict[str, Any] = {**self._last_only, **self._cache}
        if self._takes_positions:
            given["position_ids"] = torch.arange(length - ids.shape[1], length, device=model.device)[None]
        with detached(model), self._around():
            if self._switch is not None:
                forget_lengths(model)
            output = model(input_ids=ids, use_cache=self._cached, **given)
        self._cache = _cache_of(output) if self._cached else {}
        logits: Tensor = output.logits[:, -1]
        return logits


def _cache_of(output: Any) -> dict[str, Any]:
    """Return the cache by its name, or nothing where rows cannot be picked from it."""
    found = ((name, getattr(output, name, None)) for name in _CACHES)
    return dict(next(([each] for each in found if hasattr(each[1], "reorder_cache")), []))


def rope_switch(config: Any) -> int | None:
    """Return the most positions for which rotary frequencies are the same whatever else is in the pass.

    Args:
        config: Of a text model.
    Returns:
        None where they always are.
    """
    given = getattr(config, "rope_parameters", None) or {}
    # one set for all layers, or one per kind of layer
    kinds = [kind for kind in (given, *given.values()) if isinstance(kind, dict)]
    limits = [limit for kind in kinds if (limit := _limit(config, kind)) is not None]
    return min(limits, default=None)


def _limit(config: Any, rope: dict[str, Any]) -> int | None:
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind == "longrope":
        return int(rope.get("original_max_position_embeddings") or config.max_position_embeddings)
    if "dynamic" in kind:
        # at the limit itself, frequencies of an earlier and longer pass are kept
        return int(config.max_position_embeddings) - 1
    return None


def forget_lengths(model: PreTrainedModel) -> None:
    """Let rotary frequencies that grow with the longest pass so far start from those of a new model."""
    first = "original_inv_freq"
    for module in model.modules():
        if not hasattr(module, "original_max_seq_len"):
            continue
        # one set for all layers, or one per kind of layer
        for name in [n for n in (*module._buffers, *vars(module)) if n.endswith(first)]:
            prefix, frequencies = name.removesuffix(first), getattr(module, name)
            setattr(module, f"{prefix}inv_freq", frequencies.clone().to(model.device))
        for name in [n for n in vars(module) if n.endswith("max_seq_len_cached")]:
            setattr(module, name, module.original_max_seq_len)
