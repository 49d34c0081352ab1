"""Which views one step of the torch backend computes on: shared pieces, slot blocks and their masks.

Host arithmetic alone. What rows hold changes at every step, so a layout is made once per step and kept for
all its layers; what a step does not change is made once per batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import DecodeBatch, Segment
from codesample.kernels.bifurcated_decode.call import LayerStore
from codesample.kernels.bifurcated_decode.packed_keys import PackedView
from codesample.kernels.bifurcated_decode.prepared_batch import MOST_STORES

__all__ = [
    "Block",
    "Chosen",
    "Layout",
    "Level",
    "Mask",
    "Piece",
    "Seen",
    "Step",
    "View",
    "Visible",
    "layout_of",
    "whole_levels",
]

# Microseconds that one more block costs in calls, and that one slot and KV head cost besides their bytes;
# measured on two cores of an AVX2 server. They only steer how rows are grouped.
_BLOCK_US = 40.0
_SLOT_US = 1.2
_BYTES_PER_US = 8000.0
_MASK_BYTES = 8 << 20


View = tuple[Tensor, Tensor] | tuple[PackedView, None]
"""Keys and values [1, G, N, D] of a piece, or what unpacks both."""


class Mask(NamedTuple):
    """Additive mask of a range of keys, and the query rows that see none of them (None: there are none).

    `bias` is [B, 1 or G, M, N], 0 or -inf; `dead` is [B, 1 or G, M].
    """

    bias: Tensor
    dead: Tensor | None


class Seen(Protocol):
    """Which keys of a view each query row sees."""

    def mask(self, begin: int, end: int, dtype: torch.dtype) -> Mask:
        """Make the mask of keys [begin, end)."""
        ...

    def used(self, begin: int, end: int) -> Tensor:
        """Tell which of the keys [begin, end) some row of a batch sees: bool [B, 1 or G, N]."""
        ...


@dataclass(frozen=True, eq=False)
class Visible:
    """Row m of batch b sees keys [first, stop) of the view it belongs to; both int32 [B, 1, M] tensors."""

    first: Tensor
    stop: Tensor
    _masks: dict[tuple[int, int, torch.dtype], Mask] = field(default_factory=dict, repr=False)

    def mask(self, begin: int, end: int, dtype: torch.dtype) -> Mask:
        """See `Seen`; a small one is kept for the step's other layers."""
        key = (begin, end, dtype)
        if key in self._masks:
            return self._masks[key]
        keys = torch.arange(begin, end, device=self.first.device, dtype=torch.int32)
        made = _mask((keys < self.first[..., None]) | (keys >= self.stop[..., None]), dtype)
        if made.bias.nbytes <= _MASK_BYTES:
            self._masks[key] = made
        return made

    def used(self, begin: int, end: int) -> Tensor:
        """See `Seen`."""
        keys = torch.arange(begin, end, device=self.first.device, dtype=torch.int32)
        seen = (keys >= self.first[..., None]) & (keys < self.stop[..., None])
        return seen.flatten(1, 2).any(dim=1, keepdim=True)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Row m sees those of the keys `index` [G, N] that are `first[m]` or later, or all.

    -1 is none, or, with a `bias` as in `KeptKeys`, a key that stands for several where that is finite.
    `seen` is as there.
    """

    index: Tensor
    first: Tensor | None
    bias: Tensor | None = None
    seen: Tensor | None = None

    def mask(self, begin: int, end: int, dtype: torch.dtype) -> Mask:
        """See `Seen`."""
        made = _mask(~self._seen(begin, end), dtype)
        if self.bias is None:
            return made
        return made._replace(bias=made.bias + self.bias[None, :, None, begin:end].to(dtype))

    def used(self, begin: int, end: int) -> Tensor:
        """See `Seen`."""
        return self._seen(begin, end).any(dim=2)

    def _seen(self, begin: int, end: int) -> Tensor:
        keys = self.index[None, :, None, begin:end]
        first = torch.zeros(1, dtype=torch.int64, device=keys.device) if self.first is None else self.first
        if self.bias is None:
            seen = (keys >= first[:, None]) & (keys >= 0)
        else:
            read = self.bias[None, :, None, begin:end] > float("-inf")
            seen = ((keys >= first[:, None]) | (keys < 0)) & read
        return seen if self.seen is None else seen & self.seen[None, :, :, begin:end]


def _mask(hidden: Tensor, dtype: torch.dtype) -> Mask:
    bias = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, float("-inf"))
    dead = hidden.all(dim=-1)
    return Mask(bias, dead if dead.any() else None)


class Piece(NamedTuple):
    """Rows [row_start, row_stop) read shared tokens [start, stop) of the pool; none if start == stop.

    `restricted` is the segment where a key selection may leave some of these out; `first` [M] is then the
    first visible key of each query row, counted from the segment's first token, or None without a window.
    """

    row_start: int
    row_stop: int
    start: int
    stop: int
    visible: Visible | None
    restricted: Segment | None = None
    first: Tensor | None = None


class Level:
    """Pieces that tile all rows, and the views of the pool that they read, made once per store."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = tuple(pieces)
        # holding a store keeps its id from naming another
        self._views: dict[int, tuple[LayerStore, list[View]]] = {}

    def views(self, store: LayerStore) -> list[View]:
        """Return each piece's keys and values, [1, G, N, D] both."""
        found = self._views.get(id(store))
        if found is None:
            if len(self._views) >= MOST_STORES:
                self._views.clear()
            found = self._views[id(store)] = (store, [_views(store, p.start, p.stop) for p in self.pieces])
        return found[1]


def _views(store: LayerStore, start: int, stop: int) -> View:
    if store.packed is not None:
        return PackedView(store.packed, start, stop), None
    k, v = (pool.narrow(1, start, stop - start).unsqueeze(0) for pool in store[:2])
    return k, v


class Block(NamedTuple):
    """Rows [row_start, row_stop), by slot, read tokens [start, stop) of slots [slot_start, slot_stop).

    `offsets` gives each row's slot within the block, or is None where every slot is a row's.
    """

    row_start: int
    row_stop: int
    slot_start: int
    slot_stop: int
    start: int
    stop: int
    offsets: Tensor | None
    visible: Visible | None


class Layout(NamedTuple):
    """One step: per level the pieces that tile all rows, the blocks that tile them, where new tokens go.

    Blocks take the rows in the order of their slots. `into` is (slots, tokens), [R, 1] and [R, Q] int64, or
    None where one slice takes all new tokens.
    """

    levels: tuple[Level, ...]
    blocks: tuple[Block, ...]
    into: tuple[Tensor, Tensor] | None


class Step(NamedTuple):
    """What a layout follows from.

    Attributes:
        batch: The rows and what they see.
        restricted: Segments of which a key selection may leave keys out.
        slots: [R, 1] int64, the batch's slots, on the device of its calls.
        by_slot: R, the rows in the order of their slots.
        stored: Own tokens per row before the step's; -1 and less where queries lie in a shared segment.
        queries: Q, new tokens per row.
        group: Query heads per KV head.
        window: As in `ScoreOptions`.
        slot_bytes: Key and value bytes of one token of one slot, all KV heads.
    """

    batch: DecodeBatch
    restricted: Collection[Segment]
    slots: Tensor
    by_slot: Sequence[int]
    stored: Sequence[int]
    queries: int
    group: int
    window: int | None
    slot_bytes: int

    @property
    def device(self) -> torch.device:
        """Of the calls."""
        return self.slots.device

    def per_query_row(self, rows: Tensor) -> Tensor:
        """Spread [R, Q] or [S, Q] numbers over the query heads of a KV head."""
        return rows.repeat_interleave(self.group, dim=1)


def whole_levels(batch: DecodeBatch, restricted: Collection[Segment]) -> tuple[Level, ...]:
    """Lay out the shared segments for layers without a window: the same in every step."""
    return tuple(
        Level(
            _tile(
                [
                    Piece(
                        s.row_start,
                        s.row_stop,
                        s.start,
                        s.start + s.length,
                        None,
                        s if s in restricted else None,
                    )
                    for s in level
                ],
                batch.rows,
            )
        )
        for level in batch.levels
    )


def layout_of(step: Step, whole: tuple[Level, ...]) -> Layout:
    """Lay out a step; `whole` are the batch's `whole_levels`."""
    batch, stored, queries = step.batch, step.stored, step.queries
    levels = whole
    if step.window is not None:
        levels = tuple(
            Level(_tile([_windowed(s, step, step.window) for s in level], batch.rows))
            for level in batch.levels
        )
    slots, lens = [batch.slots[row] for row in step.by_slot], [stored[row] for row in step.by_slot]
    blocks = tuple(
        _block(step, slots[begin:end], lens[begin:end], begin)
        for begin, end in _row_ranges(slots, lens, queries, step.slot_bytes)
    )
    into = None
    ordered = slots == list(batch.slots)
    if not ordered or len(blocks) > 1 or blocks[0].offsets is not None or min(stored) != max(stored):
        tokens = torch.tensor(stored, device=step.device)[:, None] + torch.arange(queries, device=step.device)
        into = (step.slots, tokens)
    return Layout(levels, blocks, into)


def _tile(pieces: Sequence[Piece], rows: int) -> list[Piece]:
    """Fill the gaps between the pieces of a level with pieces that read nothing."""
    tiles: list[Piece] = []
    row = 0
    for piece in pieces:
        if piece.row_start > row:
            tiles.append(Piece(row, piece.row_start, 0, 0, None))
        tiles.append(piece)
        row = piece.row_stop
    if row < rows:
        tiles.append(Piece(row, rows, 0, 0, None))
    return tiles


def _windowed(s: Segment, step: Step, window: int) -> Piece:
    """Leave out what no row sees through the window, and mask what some do not see."""
    own_starts, queries = step.batch.own_starts, step.queries
    # first visible key of each row's first query, counted from the segment's first token
    first = [own_starts[r] + step.stored[r] - window + 1 - s.position for r in range(s.row_start, s.row_stop)]
    cut = min(max(min(first), 0), s.length)
    bounds = s.row_start, s.row_stop, s.start + cut, s.start + s.length
    if s not in step.restricted and (max(first) + queries - 1 <= cut or cut == s.length):
        return Piece(*bounds, None)
    firsts = torch.tensor(first, dtype=torch.int32, device=step.device)[:, None]
    firsts = firsts + torch.arange(queries, dtype=torch.int32, device=step.device)
    firsts = step.per_query_row(firsts).flatten()
    after_cut = (firsts - cut)[None, None]
    visible = Visible(after_cut, torch.full_like(after_cut, s.length - cut))
    return Piece(*bounds, visible, *((s, firsts) if s in step.restricted else ()))


def _row_ranges(
    slots: Sequence[int], stored: Sequence[int], queries: int, slot_bytes: int
) -> list[tuple[int, int]]:
    """Cut the rows where computing on idle slots and padding would cost more than one more block.

    A block is one call over a view of neighbouring slots, so it computes on every slot between its first
    and its last, and for each as many tokens as its longest row holds. Take a token of a slot at 1 KB, so
    that 8 tokens cost 1 us, a slot 1.2 us more and a block 40 us:

        row     0   1   2     3
        slot    0   1   9    10
        stored  7   7   7   799

    - Row 0 alone holds 8 tokens with the new one: 1 slot x (1.2 + 1) = 2.2 us.
    - Row 1 as well: 2 slots x 2.2 = 4.4 us, against 2.2 + 2.2 + 40 us in a block of its own. Joined.
    - Row 2: slots 0 to 9, seven of them idle: 10 x 2.2 = 22 us, against 4.4 + 2.2 + 40. Joined: seven idle
      slots are cheaper than another call.
    - Row 3: 11 slots x (1.2 + 100), since all would be padded to 800 tokens: 1113 us, against
      22 + 101.2 + 40. Cut.

    >>> _row_ranges([0, 1, 9, 10], [7, 7, 7, 799], queries=1, slot_bytes=1000)
    [(0, 3), (3, 4)]

    Slots rise, since a view cannot turn back.
    """
    rows = len(slots)
    if slots[-1] - slots[0] == rows - 1 and min(stored) == max(stored):
        return [(0, rows)]

    def cost(span: int, tokens: int) -> float:
        return span * (_SLOT_US + tokens * slot_bytes / _BYTES_PER_US)

    ranges: list[tuple[int, int]] = []
    begin, longest, spent = 0, stored[0], cost(1, stored[0] + queries)
    for row in range(1, rows):
        alone = cost(1, stored[row] + queries)
        joined_longest = max(longest, stored[row])
        joined = cost(slots[row] - slots[begin] + 1, joined_longest + queries)
        if joined <= spent + alone + _BLOCK_US:
            longest, spent = joined_longest, joined
        else:
            ranges.append((begin, row))
            begin, longest, spent = row, stored[row], alone
    return [*ranges, (begin, rows)]


def _block(step: Step, slots: Sequence[int], lens: Sequence[int], begin: int) -> Block:
    queries, window, device = step.queries, step.window, step.device
    slot_start, slot_stop = slots[0], slots[-1] + 1
    span = slot_stop - slot_start
    offsets = None
    if span > len(slots):
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
        visible = Visible(step.per_query_row(firsts)[:, None], step.per_query_row(stops)[:, None])
    return Block(begin, begin + len(slots), slot_start, slot_stop, start, stop, offsets, visible)
