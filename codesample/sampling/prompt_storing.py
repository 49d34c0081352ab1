"""Stores prompts for a decode loop, and lets a policy prepare what was stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prefix_reads import PrefixReads
from codesample.sampling.frozen_prefill import frozen_prefill
from codesample.sampling.hosts.spread_prefill import spread_prefill
from codesample.sampling.kv_store import KVStore
from codesample.sampling.learned_listening import listening
from codesample.sampling.prefill import SegmentTokens, prefill
from codesample.sampling.rotary_shift import RotaryShift

__all__ = ["prompt_storing"]


def prompt_storing(
    model: PreTrainedModel,
    store: KVStore,
    reads: PrefixReads | None = None,
    prefill_reads: PrefillReads | None = None,
    *,
    apart: bool = False,
    shift: RotaryShift | None = None,
) -> Callable[[Sequence[SegmentTokens], int], Tensor]:
    """Return what stores N segments in passes of so many tokens, and gives the logits behind each, [N, V].

    Where they are to be run `apart`, no pass has tokens of two. `shift` turns keys of a store that keeps some
    of a prompt's tokens.
    """

    # no method of the loop: a circle of references would keep the store until it is collected
    def together(segments: Sequence[SegmentTokens], chunk: int) -> Tensor:
        if store.spread is not None:
            return spread_prefill(model, store, segments, chunk=chunk)
        if reads is None:
            return prefill(model, store, segments, chunk=chunk, reads=prefill_reads)
        ranges = [(segment.start, len(segment.ids)) for segment in segments]
        tails = reads.tails(ranges)
        with listening(model, reads.scorers, tails):
            logits = prefill(model, store, segments, chunk=chunk, tails=tails, reads=prefill_reads)
        reads.prepare(ranges, tails)
        return logits

    def kept(segments: Sequence[SegmentTokens], chunk: int) -> Tensor:
        assert store.frozen is not None
        assert shift is not None
        found = []
        for segment in segments:
            if store.frozen.held(len(segment.ids)) == len(segment.ids):
                found.append(prefill(model, store, [segment], chunk=chunk))
            else:
                found.append(frozen_prefill(model, store, segment, store.frozen, shift))
        return torch.cat(found)

    def one_by_one(segments: Sequence[SegmentTokens], chunk: int) -> Tensor:
        return torch.cat([together([segment], chunk) for segment in segments])

    if store.frozen is not None:
        return kept
    return one_by_one if apart else together
