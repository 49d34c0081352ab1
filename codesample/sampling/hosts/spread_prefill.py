"""Runs prompts whose keys are spread over processes, and leaves each with its share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.policies.prefill.ring import Ring
from codesample.policies.prefill.star import Star
from codesample.sampling.hosts.shares import Range, overlaps
from codesample.sampling.hosts.spread import Spread
from codesample.sampling.hosts.spread_states import BlockState, Kept, RingState, TogetherState
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import PassState, SegmentTokens, run_pass

__all__ = ["spread_prefill"]


def spread_prefill(
    model: PreTrainedModel, store: KVStore, segments: Sequence[SegmentTokens], *, chunk: int
) -> Tensor:
    """Store this process's share of whole prompts, in step with the other processes.

    The model's attention must be attached (see `attention_hook`).

    Args:
        store: With a spread.
        segments: Whole prompts of which nothing is stored yet.
        chunk: Most tokens of a forward pass, apart from those of a ring.

    Returns:
        [len(segments), V], the logits behind each prompt's last token, the same in all processes.

    Raises:
        LostError: another process has ended.
    """
    assert store.spread is not None, "the caller has looked"
    found = [_Prompt(model, store, store.spread, each, chunk).run() for each in segments]
    return torch.cat(found)


class _Prompt:
    def __init__(
        self, model: PreTrainedModel, store: KVStore, spread: Spread, segment: SegmentTokens, chunk: int
    ) -> None:
        self._model, self._store, self._spread, self._chunk = model, store, spread, chunk
        self._ids, self._start, self._tokens = segment.ids, segment.start, len(segment.ids)
        self._ranges = spread.ranges(self._tokens)

    def run(self) -> Tensor:
        star = self._spread.starred(self._tokens)
        done = 0
        if star is not None:
            done = self._run_blocks(star)
        elif isinstance(self._spread.prefill, Ring):
            done = self._run_ring()
        return self._run_together(done)

    def _run_together(self, done: int) -> Tensor:
        """Run what is left, the last token at least, in all processes."""
        logits = torch.empty(0)
        for begin, end in _cut(done, self._tokens, self._chunk):
            of = _until(self._ranges, end)
            kept = self._kept([(begin, end)])
            state = TogetherState(self._store.layers, kept, self._spread.group, self._start, (begin, end), of)
            logits = self._pass([(begin, end)], state)
        return logits

    def _run_ring(self) -> int:
        """Run all but the last token, each in one process; return how many were."""
        group = self._spread.group
        for begin, end in self._spread.zigzag.stretches(self._tokens):
            if end - begin < 2 * group.size:
                # too few for everyone to have some
                return begin
            end = min(end, self._tokens - 1)
            at = _until(_from(self._ranges, begin), end)
            of = [_until(self._spread.ranges(self._tokens, rank), end) for rank in range(group.size)]
            self._pass(at, RingState(self._store.layers, self._kept(at), group, self._start, at, of))
        return self._tokens - 1

    def _run_blocks(self, star: Star) -> int:
        """Run all but the tail, each block in one process; return how many tokens were."""
        layout = star.layout(self._tokens)
        anchor: dict[int, tuple[Tensor, Tensor]] = {}
        first = min(layout.anchor, layout.tail)
        for begin, end in _cut(0, first, self._chunk):
            kept = self._kept([(begin, end)])
            self._pass([(begin, end)], BlockState(self._store.layers, kept, anchor, None))
        for block in _until(_from(self._ranges, first), layout.tail):
            for begin, end in _cut(*block, self._chunk):
                kept = self._kept([(begin, end)])
                ((_, place, count),) = overlaps(self._ranges, block[0], end)
                own = self._start + place, self._start + place + count
                self._pass([(begin, end)], BlockState(self._store.layers, kept, anchor, own))
        return layout.tail

    def _kept(self, at: Sequence[Range]) -> list[Kept]:
        found, source = [], 0
        for begin, end in at:
            for position, place, count in overlaps(self._ranges, begin, end):
                found.append((source + position - begin, self._start + place, count))
            source += end - begin
        return found

    def _pass(self, at: Sequence[Range], state: PassState) -> Tensor:
        """Run tokens; return the logits behind the last of them, [1, V]."""
        places = [position for begin, end in at for position in range(begin, end)]
        ids = [self._ids[position] for position in places]
        return run_pass(self._model, ids, places, state, [len(ids) - 1])


def _cut(begin: int, end: int, size: int) -> list[Range]:
    return [(first, min(first + size, end)) for first in range(begin, end, size)]


def _until(ranges: Sequence[Range], end: int) -> list[Range]:
    return [(first, min(last, end)) for first, last in ranges if first < end]


def _from(ranges: Sequence[Range], begin: int) -> list[Range]:
    return [(max(first, begin), last) for first, last in ranges if last > begin]
