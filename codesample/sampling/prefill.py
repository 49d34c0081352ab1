"""Run prompts through the model once and store their keys and values."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.errors import ModelError
from codesample.policies.prompt_tails import PromptTails
from codesample.sampling.attention_hook import PrefillPiece, PrefillState
from codesample.sampling.kv_store import KVStore

__all__ = ["SegmentTokens", "logits_of", "prefill", "store_only"]

# tokens per forward pass: enough to keep the matrix units busy, few enough that activations stay small
CHUNK = 2048


class SegmentTokens(NamedTuple):
    """Tokens to store as one shared segment.

    Attributes:
        ids: The segment's own tokens, at least one.
        start: Where its range of the pool begins.
        parents: (start, length) of the stored segments that stand before it, outermost first.
        filled: How many of its tokens the pool holds already; fewer than all.
    """

    ids: Sequence[int]
    start: int
    parents: tuple[tuple[int, int], ...] = ()
    filled: int = 0

    @property
    def position(self) -> int:
        """Absolute position of the segment's first token."""
        return sum(length for _, length in self.parents)


def prefill(
    model: PreTrainedModel,
    store: KVStore,
    segments: Sequence[SegmentTokens],
    *,
    chunk: int | None = None,
    tails: PromptTails | None = None,
) -> Tensor:
    """Store the keys and values of `segments`, packed into forward passes of `chunk` tokens.

    The model's attention must be attached (see `attention_hook`). `tails` hears the queries.

    Returns:
        [len(segments), V], the logits behind each segment's last token, dtype of the model.
    """
    logits: list[Tensor] = []
    for pieces, chosen in _chunks(segments, chunk or CHUNK):
        logits.append(_run(model, store, pieces, chosen, tails))
    return torch.cat(logits)


def store_only(model: PreTrainedModel, store: KVStore, segments: Sequence[SegmentTokens]) -> None:
    """Store the keys and values of `segments` as `prefill` does, and keep no logits."""
    for pieces, _ in _chunks(segments, CHUNK):
        _run(model, store, pieces, ())


def logits_of(
    model: PreTrainedModel, store: KVStore, segments: Sequence[SegmentTokens], *, chunk: int
) -> Iterator[Tensor]:
    """Store `segments` as `prefill` does, and yield the logits behind each of their tokens, pass after pass.

    Yields: [T, V], dtype of the model, for the next T <= `chunk` tokens of all segments in their order.
    """
    for pieces, _ in _chunks(segments, chunk):
        yield _run(model, store, pieces, range(sum(p.stop - p.filled for p in pieces)))


class _Piece(NamedTuple):
    segment: SegmentTokens
    filled: int
    stop: int


def _chunks(segments: Sequence[SegmentTokens], chunk: int) -> list[tuple[list[_Piece], list[int]]]:
    """Cut the segments into forward passes: pieces, and where in the pass a segment's last token lies."""
    passes: list[tuple[list[_Piece], list[int]]] = []
    room = 0
    for segment in segments:
        filled = segment.filled
        while filled < len(segment.ids):
            if not room:
                passes.append(([], []))
                room = chunk
            stop = min(len(segment.ids), filled + room)
            passes[-1][0].append(_Piece(segment, filled, stop))
            room -= stop - filled
            if stop == len(segment.ids):
                passes[-1][1].append(chunk - room - 1)
            filled = stop
    return passes


def _run(
    model: PreTrainedModel,
    store: KVStore,
    pieces: Sequence[_Piece],
    chosen: Sequence[int],
    tails: PromptTails | None = None,
) -> Tensor:
    device = model.device
    ids = torch.tensor([t for p in pieces for t in p.segment.ids[p.filled : p.stop]], device=device)
    positions = torch.cat(
        [
            torch.arange(p.segment.position + p.filled, p.segment.position + p.stop, device=device)
            for p in pieces
        ]
    )
    layout, begin = [], 0
    for p in pieces:
        end = begin + p.stop - p.filled
        layout.append(PrefillPiece(begin, end, p.segment.parents, p.segment.start, p.filled))
        begin = end
    # a pass that ends no segment still has to run its head on something
    last = torch.tensor(list(chosen) or [0], device=device)
    sliced = "logits_to_keep" in inspect.signature(model.forward).parameters
    state = PrefillState(store.layers, layout, tails=tails)
    logits: Tensor = model(
        input_ids=ids[None],
        position_ids=positions[None],
        use_cache=False,
        codesample_kv=state,
        **({"logits_to_keep": last} if sliced else {}),
    ).logits[0]
    if len(state.reached) != len(store.layers):
        raise ModelError(
            f"{len(state.reached)} of {len(store.layers)} layers stored their keys: the model's attention "
            "was replaced during the call, by a hook or another thread; give each thread a model of its own"
        )
    return (logits if sliced else logits[last])[: len(chosen)]
