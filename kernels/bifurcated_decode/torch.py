"""PyTorch backend: one product per KV head over all rows of a shared segment, one over each slot block.

A shared segment is read once for all its rows, and neither keys nor values are copied or joined; where
one run of slots holds rows of one length, the own part is a single call over a view. On a CPU the scores
of fp32 and fp64 never leave the cache. Otherwise keys go by in chunks, whose scores, masks and widened keys
and values take at most `torch_parts.SCRATCH_BYTES`, the only extra memory that grows with the shared tokens.
Under the schedule `StreamK` keys are cut where the plan says besides. Partial results are fp32 (fp64 for
fp64). Row lengths are read on the host: on a GPU each call waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, LayerStore, stored_on_host
from codesample.kernels.bifurcated_decode.chunk_plan import ChunkPlan, chunk_plan
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import (
    ALL_KEYS,
    KeptKeys,
    KeySelection,
    check_kept,
    check_selected,
)
from codesample.kernels.bifurcated_decode.step_schedule import StepSchedule, StreamK
from codesample.kernels.bifurcated_decode.step_views import (
    Block,
    Chosen,
    Layout,
    Level,
    Piece,
    Seen,
    Step,
    View,
    layout_of,
    whole_levels,
)
from codesample.kernels.bifurcated_decode.torch_parts import (
    Part,
    attend,
    beside,
    by_row,
    finished,
    merge,
    partial_dtype,
)

__all__ = ["PreparedTorch"]


# what layers of one step may differ in, and share a layout if they do not: shape and dtype of queries, KV
# heads, window
_LayoutOf = tuple[torch.Size, torch.dtype, int, int | None]


class PreparedTorch(PreparedBatch):
    """Keeps the views of shared segments per store, and the layout of a step for all its layers."""

    impl = "torch"

    def __init__(
        self,
        batch: DecodeBatch,
        device: torch.device | str,
        selection: KeySelection = ALL_KEYS,
        schedule: StepSchedule | None = None,
    ) -> None:
        super().__init__(batch, device, selection, schedule)
        self._whole = whole_levels(batch, self.restricted)
        self._slots = torch.tensor(batch.slots, device=self.device)[:, None]
        self._by_slot = sorted(range(batch.rows), key=batch.slots.__getitem__)
        self._order: Tensor | None = None
        self._back: Tensor | None = None
        if self._by_slot != sorted(self._by_slot):
            self._order = torch.tensor(self._by_slot, device=self.device)
            self._back = self._order.argsort()
        self._may_round = self.attended is None and not self.restricted and schedule is None
        # own tokens per row that the layouts were made for
        self._stored: list[int] = []
        self._layouts: dict[_LayoutOf, tuple[Layout, ChunkPlan | None]] = {}

    def decode(self, call: Call) -> DecodeOutput:
        """See `PreparedBatch.decode`."""
        q, k_new, v_new, store, _, scores = call
        layout, plan = self._layout(call, stored_on_host(call))
        if k_new is not None and v_new is not None:
            _append(store.k_own, k_new, layout)
            _append(store.v_own, v_new, layout)
        attending = partial(attend, scale=scores.scale_for(q.shape[3]), softcap=scores.softcap)
        # [R, G, Q * H / G, D]
        rows = by_row(q if q.dtype == partial_dtype(q) else q.to(partial_dtype(q)), call.kv_heads)
        part = self._own_part(attending, rows, call, layout.blocks, plan)
        if layout.levels:
            stacked = rows
            if self.batch.rows > 1:
                # [1, G, R * Q * H / G, D]
                stacked = rows.transpose(0, 1).reshape(1, call.kv_heads, -1, q.shape[3])
            attending = partial(attending, in_bf16=scores.in_bf16 and self._may_round)
            for number, level in enumerate(layout.levels):
                cuts = plan.levels[number] if plan else ((),) * len(level.pieces)
                shared = self._shared_part(attending, stacked, level, cuts, call)
                part = merge(shared, part, certain=call.writes)
        return finished(part, q, scores.sinks)

    def _layout(self, call: Call, stored: list[int]) -> tuple[Layout, ChunkPlan | None]:
        if stored != self._stored:
            self._layouts.clear()
            self._stored = stored
        q, kv_heads, window = call.q, call.kv_heads, call.scores.window
        key = q.shape, q.dtype, kv_heads, window
        found = self._layouts.get(key)
        if found is None:
            _, queries, heads, width = q.shape
            step = Step(
                self.batch,
                self.restricted,
                self._slots,
                self._by_slot,
                stored,
                queries,
                group=heads // kv_heads,
                window=window,
                slot_bytes=2 * kv_heads * width * q.element_size(),
            )
            layout = layout_of(step, self._whole)
            plan = None
            if isinstance(self.schedule, StreamK):
                plan = chunk_plan(layout, workers=self.schedule.workers or _threads(self.device))
            found = self._layouts[key] = layout, plan
        return found

    def _own_part(
        self,
        attending: partial[Part],
        rows: Tensor,
        call: Call,
        blocks: tuple[Block, ...],
        plan: ChunkPlan | None,
    ) -> Part:
        cuts = plan.blocks if plan else ((),) * len(blocks)
        if self._order is None or self._back is None:
            return _own_part(attending, rows, call.store, blocks, cuts)
        out, lse = _own_part(attending, rows.index_select(0, self._order), call.store, blocks, cuts)
        return Part(out.index_select(0, self._back), lse.index_select(0, self._back))

    def _shared_part(
        self,
        attending: partial[Part],
        stacked: Tensor,
        level: Level,
        cuts: Sequence[Sequence[int]],
        call: Call,
    ) -> Part:
        _, kv_heads, queries, width = stacked.shape
        rows = self.batch.rows
        per_row = queries // rows
        pieces, views = level.pieces, level.views(call.store)
        if len(pieces) == 1:
            tiles: Sequence[Tensor] = (stacked,)
        else:
            tiles = torch.split(stacked, [(p.row_stop - p.row_start) * per_row for p in pieces], dim=2)
        found = []
        for q, piece, view, cut in zip(tiles, pieces, views, cuts, strict=True):
            seen: Seen | None = piece.visible
            if piece.restricted is not None:
                view, seen = self._chosen(piece, view, call)
            found.append(attending(q, *view, seen=seen, cuts=cut))
        if rows == 1:
            return found[0]
        out, lse = beside(found, dim=2)
        return Part(
            out.view(kv_heads, rows, per_row, width).transpose(0, 1),
            lse.view(kv_heads, rows, per_row).transpose(0, 1),
        )

    def _chosen(self, piece: Piece, view: View, call: Call) -> tuple[View, Seen | None]:
        """Let the key selection answer for this layer and step, and gather what it names."""
        s = piece.restricted
        assert s is not None
        index = self.selection.select(s, call)
        if index is None:
            return view, piece.visible
        if isinstance(index, KeptKeys):
            kept = index
            check_kept(self.selection, kept, s, call)
            plain = kept.bias is None and piece.first is None and kept.seen is None
            seen = None if plain else Chosen(kept.tokens, piece.first, kept.bias, kept.seen)
            return (kept.k[None], kept.v[None]), seen
        check_selected(self.selection, index, call)
        at = index.clamp_min(0)[..., None].expand(-1, -1, call.q.shape[3])
        k, v = (x.gather(1, at)[None] for x in call.store.shared(s.start, s.length))
        return (k, v), Chosen(index, piece.first)


def _threads(device: torch.device) -> int:
    # elsewhere one product fills the device
    return torch.get_num_threads() if device.type == "cpu" else 1


def _append(pool: Tensor, new: Tensor, layout: Layout) -> None:
    if layout.into is not None:
        pool.transpose(1, 2)[layout.into] = new
        return
    block, queries = layout.blocks[0], new.shape[1]
    into = _narrow(pool, 0, block.slot_start, block.slot_stop).narrow(2, block.stop - queries, queries)
    into.copy_(new.transpose(1, 2))


def _narrow(x: Tensor, dim: int, start: int, stop: int) -> Tensor:
    # a view costs more than the test for needing none
    return x if stop - start == x.shape[dim] else x.narrow(dim, start, stop - start)


def _own_tokens(pool: Tensor, block: Block) -> Tensor:
    slots = _narrow(pool, 0, block.slot_start, block.slot_stop)
    return slots.narrow(2, block.start, block.stop - block.start)


def _own_part(
    attending: partial[Part],
    rows: Tensor,
    store: LayerStore,
    blocks: tuple[Block, ...],
    cuts: Sequence[Sequence[int]],
) -> Part:
    found = []
    for block, cut in zip(blocks, cuts, strict=True):
        q = _narrow(rows, 0, block.row_start, block.row_stop)
        if block.offsets is not None:
            spread = q.new_zeros(block.slot_stop - block.slot_start, *q.shape[1:])
            q = spread.index_copy_(0, block.offsets, q)
        k, v = _own_tokens(store.k_own, block), _own_tokens(store.v_own, block)
        part = attending(q, k, v, seen=block.visible, cuts=cut)
        if block.offsets is not None:
            part = Part(part.out.index_select(0, block.offsets), part.lse.index_select(0, block.offsets))
        found.append(part)
    return beside(found, dim=0)
