"""Which views one step of the torch backend computes on: shared pieces, slot blocks and their masks.

Host arithmetic alone. A layout depends on the rows' lengths, so it is made once per step and kept on
the plan for all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch

from codesample.kernels.bifurcated_decode.batch import DecodePlan, Segment

__all__ = ["Block", "Layout", "Mask", "Piece", "Visible", "layout_of"]

# Microseconds that one more block costs in calls, and that one slot and KV head cost besides their bytes;
# measured on two cores of an AVX2 server. They only steer how rows are grouped.
_BLOCK_US = 40.0
_SLOT_US = 1.2
_BYTES_PER_US = 8000.0
_MEMO_BYTES = 8 << 20


class Mask(NamedTuple):
    """Additive mask of a range of keys, and the query rows that see none of them (None: there are none).

    `bias` is [B, 1, M, N], 0 or -inf; `dead` is [B, 1, M].
    """

    bias: torch.Tensor
    dead: torch.Tensor | None


@dataclass(frozen=True, eq=False)
class Visible:
    """Row m of batch b sees keys [first, stop) of the view it belongs to; both int32 [B, 1, M] tensors."""

    first: torch.Tensor
    stop: torch.Tensor
    _masks: dict[tuple[int, int, torch.dtype], Mask] = field(default_factory=dict, repr=False)

    def mask(self, begin: int, end: int, dtype: torch.dtype) -> Mask:
        """Make the mask of keys [begin, end); a small one is kept for the step's other layers."""
        key = (begin, end, dtype)
        if key in self._masks:
            return self._masks[key]
        keys = torch.arange(begin, end, device=self.first.device, dtype=torch.int32)
        hidden = (keys < self.first[..., None]) | (keys >= self.stop[..., None])
        bias = torch.zeros(hidden.shape, dtype=dtype, device=keys.device).masked_fill_(hidden, float("-inf"))
        dead = hidden.all(dim=-1)
        made = Mask(bias, dead if dead.any() else None)
        if bias.nbytes <= _MEMO_BYTES:
            self._masks[key] = made
        return made

    def used(self, begin: int, end: int) -> torch.Tensor:
        """Tell which of the keys [begin, end) some row of a batch sees: bool [B, N]."""
        keys = torch.arange(begin, end, device=self.first.device, dtype=torch.int32)
        seen = (keys >= self.first[..., None]) & (keys < self.stop[..., None])
        return seen.flatten(1, 2).any(dim=1)


class Piece(NamedTuple):
    """Rows [row_start, row_stop) read shared tokens [start, stop) of the pool; none if start == stop."""

    row_start: int
    row_stop: int
    start: int
    stop: int
    visible: Visible | None


class Block(NamedTuple):
    """Rows [row_start, row_stop) read tokens [start, stop) of slots [slot_start, slot_stop).

    `offsets` gives each row's slot within the block, or is None where every slot is a row's.
    """

    row_start: int
    row_stop: int
    slot_start: int
    slot_stop: int
    start: int
    stop: int
    offsets: torch.Tensor | None
    visible: Visible | None


class Layout(NamedTuple):
    """One step: per level the pieces that tile all rows, the blocks that tile them, where new tokens go.

    `into` is (slots, tokens), [R, 1] and [R, Q] int64, or None where one slice takes all new tokens.
    """

    levels: tuple[tuple[Piece, ...], ...]
    blocks: tuple[Block, ...]
    into: tuple[torch.Tensor, torch.Tensor] | None


def layout_of(
    plan: DecodePlan, stored: Sequence[int], queries: int, group: int, window: int | None, slot_bytes: int
) -> Layout:
    """Lay out a step for rows that hold `stored` decode tokens before it.

    Args:
        plan: The batch.
        stored: Decode tokens per row before the step's own; -1 and less where queries lie in the context.
        queries: Q, new tokens per row.
        group: Query heads per KV head.
        window: As in `bifurcated_decode`.
        slot_bytes: Key and value bytes of one token of one slot, all KV heads.
    """
    levels = tuple(_pieces(level, plan, stored, queries, group, window) for level in plan.levels)
    blocks = tuple(
        _block(plan, stored, rows, queries, group, window)
        for rows in _row_ranges(plan.slots, stored, queries, slot_bytes)
    )
    into = None
    if len(blocks) > 1 or blocks[0].offsets is not None or min(stored) != max(stored):
        tokens = torch.tensor(stored, device=plan.device)[:, None] + torch.arange(queries, device=plan.device)
        into = (plan.slots_on_device.long()[:, None], tokens)
    return Layout(levels, blocks, into)


def _pieces(
    level: Sequence[Segment],
    plan: DecodePlan,
    stored: Sequence[int],
    queries: int,
    group: int,
    window: int | None,
) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    row = 0
    for s in level:
        if s.row_start > row:
            pieces.append(Piece(row, s.row_start, 0, 0, None))
        pieces.append(_piece(s, plan, stored, queries, group, window))
        row = s.row_stop
    if row < plan.rows:
        pieces.append(Piece(row, plan.rows, 0, 0, None))
    return tuple(pieces)


def _piece(
    s: Segment,
    plan: DecodePlan,
    stored: Sequence[int],
    queries: int,
    group: int,
    window: int | None,
) -> Piece:
    if window is None:
        return Piece(s.row_start, s.row_stop, s.start, s.start + s.length, None)
    rows = range(s.row_start, s.row_stop)
    # first visible key of each row's first query, counted from the segment's first token
    first = [plan.context_lens[r] + stored[r] - window + 1 - s.position for r in rows]
    cut = min(max(min(first), 0), s.length)
    visible = None
    if max(first) + queries - 1 > cut and cut < s.length:
        firsts = torch.tensor(first, dtype=torch.int32, device=plan.device)[:, None]
        firsts = firsts + torch.arange(queries, dtype=torch.int32, device=plan.device) - cut
        firsts = firsts.flatten().repeat_interleave(group)[None, None]
        visible = Visible(firsts, torch.full_like(firsts, s.length - cut))
    return Piece(s.row_start, s.row_stop, s.start + cut, s.start + s.length, visible)


def _row_ranges(
    slots: Sequence[int], stored: Sequence[int], queries: int, slot_bytes: int
) -> list[tuple[int, int]]:
    """Cut the rows where computing on idle slots and padding would cost more than one more block."""
    rows = len(slots)
    if slots[-1] - slots[0] == rows - 1 and min(stored) == max(stored) and _ascending(slots):
        return [(0, rows)]

    def cost(span: int, tokens: int) -> float:
        return span * (_SLOT_US + tokens * slot_bytes / _BYTES_PER_US)

    ranges: list[tuple[int, int]] = []
    begin, longest, spent = 0, stored[0], cost(1, stored[0] + queries)
    for row in range(1, rows):
        alone = cost(1, stored[row] + queries)
        joined_longest = max(longest, stored[row])
        joined = cost(slots[row] - slots[begin] + 1, joined_longest + queries)
        if slots[row] > slots[row - 1] and joined <= spent + alone + _BLOCK_US:
            longest, spent = joined_longest, joined
        else:
            ranges.append((begin, row))
            begin, longest, spent = row, stored[row], alone
    return [*ranges, (begin, rows)]


def _ascending(slots: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(slots))


def _block(
    plan: DecodePlan,
    stored: Sequence[int],
    rows: tuple[int, int],
    queries: int,
    group: int,
    window: int | None,
) -> Block:
    begin, end = rows
    slots, lens = plan.slots[begin:end], stored[begin:end]
    slot_start, slot_stop = slots[0], slots[-1] + 1
    span = slot_stop - slot_start
    device = plan.device
    offsets = None
    if span > end - begin:
        offsets = torch.tensor([slot - slot_start for slot in slots], device=device)
    stop = max(max(lens) + queries, 0)
    start = 0 if window is None else min(max(min(lens) + 1 - window, 0), stop)
    windowed = window is not None and max(lens) + queries - window > start
    visible = None
    if stop > start and (min(lens) < max(lens) or queries > 1 or windowed):
        # idle slots see nothing, so what they hold never matters
        stops = torch.zeros(span, queries, dtype=torch.int32, device=device)
        firsts = torch.zeros_like(stops)
        at = slice(None) if offsets is None else offsets
        last = torch.tensor(lens, dtype=torch.int32, device=device)[:, None]
        last = last + torch.arange(queries, dtype=torch.int32, device=device)
        stops[at] = last + 1 - start
        if window is not None:
            firsts[at] = last + 1 - window - start
        stops, firsts = (x.repeat_interleave(group, dim=1)[:, None] for x in (stops, firsts))
        visible = Visible(firsts, stops)
    return Block(begin, end, slot_start, slot_stop, start, stop, offsets, visible)
