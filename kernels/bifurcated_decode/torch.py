"""PyTorch backend: one product per KV head over all rows of a shared segment, one over each slot block.

A shared segment is read once for all its rows, and neither keys nor values are copied or joined; where
one run of slots holds rows of one length, the own part is a single call over a view. On a CPU the scores
of fp32 and fp64 never leave the cache. Otherwise keys go by in chunks, whose scores, masks and widened keys
and values take at most `SCRATCH_BYTES`, the only extra memory that grows with the shared tokens. Partial
results are fp32 (fp64 for fp64). Row lengths are read on the host: on a GPU each call waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput, LayerStore, stored_on_host
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import (
    ALL_KEYS,
    KeptKeys,
    KeySelection,
    check_kept,
    check_selected,
)
from codesample.kernels.bifurcated_decode.step_views import (
    Block,
    Chosen,
    Layout,
    Level,
    Mask,
    Piece,
    Seen,
    Step,
    layout_of,
    whole_levels,
)

__all__ = ["SCRATCH_BYTES", "PreparedTorch"]

SCRATCH_BYTES = 64 << 20
_NEG_INF = float("-inf")
_LOWEST = torch.finfo(torch.float32).min

# Attention and its log-sum-exp in one pass that keeps scores in cache; the public function drops the latter.
_fused_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


class _Part(NamedTuple):
    # attention over some of the keys; rows that see none of them are (0, -inf)
    out: Tensor
    lse: Tensor


class _LayoutOf(NamedTuple):
    # what layers of one step may differ in; equal layers share a layout
    queries: int
    group: int
    window: int | None
    slot_bytes: int


class PreparedTorch(PreparedBatch):
    """Keeps the views of shared segments per store, and the layout of a step for all its layers."""

    impl = "torch"

    def __init__(
        self, batch: DecodeBatch, device: torch.device | str, selection: KeySelection = ALL_KEYS
    ) -> None:
        super().__init__(batch, device, selection)
        self._whole = whole_levels(batch, self.restricted)
        self._slots = torch.tensor(batch.slots, device=self.device)[:, None]
        self._by_slot = sorted(range(batch.rows), key=batch.slots.__getitem__)
        self._order: Tensor | None = None
        self._back: Tensor | None = None
        if self._by_slot != sorted(self._by_slot):
            self._order = torch.tensor(self._by_slot, device=self.device)
            self._back = self._order.argsort()
        # own tokens per row that the layouts were made for
        self._stored: list[int] = []
        self._layouts: dict[_LayoutOf, Layout] = {}

    def decode(self, call: Call) -> DecodeOutput:
        """See `PreparedBatch.decode`."""
        q, k_new, v_new, store, _, scores = call
        rows, queries, heads, width = q.shape
        layout = self._layout(call, stored_on_host(call))
        if k_new is not None and v_new is not None:
            _append(store.k_own, k_new, layout)
            _append(store.v_own, v_new, layout)
        attend = partial(_attend, scale=scores.scale_for(width), softcap=scores.softcap)
        # [R, G, Q * H / G, D]
        by_row = _by_row(q.to(_partial_dtype(q)), call.kv_heads)
        part = self._own_part(attend, by_row, call, layout.blocks)
        if layout.levels:
            # [1, G, R * Q * H / G, D]
            stacked = by_row.transpose(0, 1).reshape(1, call.kv_heads, -1, width)
            for level in layout.levels:
                shared = self._shared_part(attend, stacked, level, call)
                part = _merge(shared, part, certain=call.writes)
        out, lse = part
        if queries > 1:
            out = out.unflatten(2, (queries, -1)).transpose(1, 2)
            lse = lse.unflatten(2, (queries, -1)).transpose(1, 2)
        out, lse = out.reshape(q.shape), lse.reshape(rows, queries, heads)
        if scores.sinks is not None:
            total = torch.logaddexp(lse, scores.sinks.to(lse))
            out = out * torch.exp(lse - total.clamp_min(_LOWEST)).unsqueeze(3)
            lse = total
        return DecodeOutput(out.to(q.dtype), lse)

    def _layout(self, call: Call, stored: list[int]) -> Layout:
        if stored != self._stored:
            self._layouts.clear()
            self._stored = stored
        q, group = call.q, call.group
        slot_bytes = 2 * call.kv_heads * q.shape[3] * q.element_size()
        key = _LayoutOf(q.shape[1], group, call.scores.window, slot_bytes)
        found = self._layouts.get(key)
        if found is None:
            step = Step(self.batch, self.restricted, self._slots, self._by_slot, stored, *key)
            found = self._layouts[key] = layout_of(step, self._whole)
        return found

    def _own_part(
        self, attend: partial[_Part], by_row: Tensor, call: Call, blocks: tuple[Block, ...]
    ) -> _Part:
        if self._order is None or self._back is None:
            return _own_part(attend, by_row, call.store, blocks)
        out, lse = _own_part(attend, by_row.index_select(0, self._order), call.store, blocks)
        return _Part(out.index_select(0, self._back), lse.index_select(0, self._back))

    def _shared_part(self, attend: partial[_Part], stacked: Tensor, level: Level, call: Call) -> _Part:
        _, kv_heads, queries, width = stacked.shape
        rows = self.batch.rows
        per_row = queries // rows
        pieces, views = level.pieces, level.views(call.store)
        if len(pieces) == 1:
            tiles: Sequence[Tensor] = (stacked,)
        else:
            tiles = torch.split(stacked, [(p.row_stop - p.row_start) * per_row for p in pieces], dim=2)
        found = []
        for q, piece, (k, v) in zip(tiles, pieces, views, strict=True):
            seen: Seen | None = piece.visible
            if piece.restricted is not None:
                k, v, seen = self._chosen(piece, k, v, call)
            found.append(attend(q, k, v, seen=seen))
        out, lse = _beside(found, dim=2)
        return _Part(
            out.view(kv_heads, rows, per_row, width).transpose(0, 1),
            lse.view(kv_heads, rows, per_row).transpose(0, 1),
        )

    def _chosen(self, piece: Piece, k: Tensor, v: Tensor, call: Call) -> tuple[Tensor, Tensor, Seen | None]:
        """Let the key selection answer for this layer and step, and gather what it names."""
        s = piece.restricted
        assert s is not None
        index = self.selection.select(s, call)
        if index is None:
            return k, v, piece.visible
        if isinstance(index, KeptKeys):
            kept = index
            check_kept(self.selection, kept, call)
            plain = kept.bias is None and piece.first is None
            return kept.k[None], kept.v[None], None if plain else Chosen(kept.tokens, piece.first, kept.bias)
        check_selected(self.selection, index, call)
        at = index.clamp_min(0)[..., None].expand(-1, -1, k.shape[3])
        k, v = (pool[:, s.start : s.start + s.length].gather(1, at)[None] for pool in call.store[:2])
        return k, v, Chosen(index, piece.first)


def _by_row(q: Tensor, kv_heads: int) -> Tensor:
    rows, queries, heads, width = q.shape
    if queries > 1:
        q = q.view(rows, queries, kv_heads, heads // kv_heads, width).transpose(1, 2)
    return q.reshape(rows, kv_heads, queries * heads // kv_heads, width)


def _partial_dtype(q: Tensor) -> torch.dtype:
    return torch.float64 if q.dtype == torch.float64 else torch.float32


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


def _own_part(attend: partial[_Part], by_row: Tensor, store: LayerStore, blocks: tuple[Block, ...]) -> _Part:
    found = []
    for block in blocks:
        q = _narrow(by_row, 0, block.row_start, block.row_stop)
        if block.offsets is not None:
            spread = q.new_zeros(block.slot_stop - block.slot_start, *q.shape[1:])
            q = spread.index_copy_(0, block.offsets, q)
        k, v = (
            _narrow(pool, 0, block.slot_start, block.slot_stop).narrow(
                2, block.start, block.stop - block.start
            )
            for pool in (store.k_own, store.v_own)
        )
        part = attend(q, k, v, seen=block.visible)
        if block.offsets is not None:
            part = _Part(part.out.index_select(0, block.offsets), part.lse.index_select(0, block.offsets))
        found.append(part)
    return _beside(found, dim=0)


def _beside(parts: list[_Part], dim: int) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(torch.cat([part.out for part in parts], dim), torch.cat([part.lse for part in parts], dim))


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    scale: float,
    softcap: float | None,
    seen: Seen | None,
) -> _Part:
    """Attend q [B, G, M, D] to k, v [B, G, N, D]: out [B, G, M, D] and lse [B, G, M] in q's dtype."""
    fused = q.device.type == "cpu" and softcap is None
    tokens = k.shape[2]
    if tokens == 0:
        return _Part(torch.zeros_like(q), q.new_full(q.shape[:3], _NEG_INF))
    if fused and seen is None and k.dtype == q.dtype:
        return _Part(*_fused_on_cpu(q, k, v, scale=scale))
    batch, kv_heads, rows, width = q.shape
    row_bytes = q.element_size() * rows * batch
    key_bytes = 2 * row_bytes + (0 if fused else 3 * kv_heads * row_bytes)
    key_bytes += 4 * q.element_size() * batch * kv_heads * width
    chunk = max(SCRATCH_BYTES // key_bytes, 1)
    parts = []
    for begin in range(0, tokens, chunk):
        end = min(begin + chunk, tokens)
        kc, vc = k[:, :, begin:end].to(q.dtype), v[:, :, begin:end].to(q.dtype)
        mask = None if seen is None else seen.mask(begin, end, q.dtype)
        part = _attend_chunk(q, kc, vc, scale, softcap, mask, fused)
        if seen is not None and not part.out.isfinite().all():
            # unseen keys take part with weight 0, which is exact unless they are not finite
            used = seen.used(begin, end)[..., None]
            part = _attend_chunk(q, kc.where(used, 0), vc.where(used, 0), scale, softcap, mask, fused)
        parts.append(part)
    return reduce(_merge, parts)


def _attend_chunk(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    softcap: float | None,
    mask: Mask | None,
    fused: bool,
) -> _Part:
    if fused:
        out, lse = _fused_on_cpu(q, k, v, attn_mask=None if mask is None else mask.bias, scale=scale)
        if mask is not None and mask.dead is not None:
            out = out.masked_fill(mask.dead[..., None], 0.0)
            lse = lse.masked_fill(mask.dead, _NEG_INF)
        return _Part(out, lse)
    scores = (q @ k.transpose(2, 3)).mul_(scale)
    if softcap is not None:
        scores.div_(softcap).tanh_().mul_(softcap)
    if mask is not None:
        scores += mask.bias
    top = scores.amax(dim=3, keepdim=True).clamp_min_(_LOWEST)
    weights = scores.sub_(top).exp_()
    total = weights.sum(dim=3, keepdim=True)
    out = (weights @ v).div_(total.clamp_min(torch.finfo(q.dtype).tiny))
    return _Part(out, (top + total.log()).squeeze(3))


def _merge(a: _Part, b: _Part, *, certain: bool = False) -> _Part:
    # unless every row of b certainly has keys, keep -inf minus -inf from becoming NaN
    floor = b.lse if certain else b.lse.clamp_min(_LOWEST)
    share = torch.sigmoid(a.lse - floor)
    return _Part(torch.lerp(b.out, a.out, share.unsqueeze(-1)), torch.logaddexp(a.lse, b.lse))
