"""PyTorch backend: one product per KV head over all rows of a shared segment, one over each slot block.

A shared segment is read once for all its rows, and neither keys nor values are copied or joined; where
one run of slots holds rows of one length, the decode part is a single call over a view. On a CPU the
scores of fp32 and fp64 never leave the cache. Otherwise keys go by in chunks, whose scores, masks and
widened keys and values take at most `SCRATCH_BYTES`, the only extra memory that grows with the context.
Partial results are fp32 (fp64 for fp64). Row lengths are read on the host: on a GPU each call waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce
from typing import NamedTuple

import torch

from codesample.kernels.bifurcated_decode.api import DecodeOutput, LayerStore, stored_on_host
from codesample.kernels.bifurcated_decode.batch import DecodePlan
from codesample.kernels.bifurcated_decode.step_views import Block, Layout, Mask, Piece, Visible, layout_of

__all__ = ["SCRATCH_BYTES", "decode"]

SCRATCH_BYTES = 64 << 20
_NEG_INF = float("-inf")
_LOWEST = torch.finfo(torch.float32).min

# Attention and its log-sum-exp in one pass that keeps scores in cache; the public function drops the latter.
_fused_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


class _Part(NamedTuple):
    # attention over some of the keys; rows that see none of them are (0, -inf)
    out: torch.Tensor
    lse: torch.Tensor


def decode(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> DecodeOutput:
    """Do what `bifurcated_decode` states."""
    rows, queries, heads, width = q.shape
    kv_heads = store.k_shared.shape[0]
    stored = stored_on_host(lens, queries, store, written=k_new is not None)
    layout = _layout(
        plan, stored, queries, heads // kv_heads, window, 2 * kv_heads * width * q.element_size()
    )
    if k_new is not None and v_new is not None:
        _append(store.k_decode, k_new, layout)
        _append(store.v_decode, v_new, layout)
    attend = partial(_attend, scale=scale, softcap=softcap)
    # [R, G, Q * H / G, D]
    by_row = _by_row(q.to(_partial_dtype(q)), kv_heads)
    part = _decode_part(attend, by_row, store, layout.blocks)
    if layout.levels:
        # [1, G, R * Q * H / G, D]
        stacked = by_row.transpose(0, 1).reshape(1, kv_heads, -1, width)
        for level in layout.levels:
            shared = _context_part(attend, stacked, plan, store, level)
            part = _merge(shared, part, certain=k_new is not None)
    out, lse = part
    if queries > 1:
        out = out.unflatten(2, (queries, -1)).transpose(1, 2)
        lse = lse.unflatten(2, (queries, -1)).transpose(1, 2)
    out, lse = out.reshape(q.shape), lse.reshape(rows, queries, heads)
    if sinks is not None:
        total = torch.logaddexp(lse, sinks.to(lse))
        out = out * torch.exp(lse - total.clamp_min(_LOWEST)).unsqueeze(3)
        lse = total
    return DecodeOutput(out.to(q.dtype), lse)


def _by_row(q: torch.Tensor, kv_heads: int) -> torch.Tensor:
    rows, queries, heads, width = q.shape
    if queries > 1:
        q = q.view(rows, queries, kv_heads, heads // kv_heads, width).transpose(1, 2)
    return q.reshape(rows, kv_heads, queries * heads // kv_heads, width)


def _partial_dtype(q: torch.Tensor) -> torch.dtype:
    return torch.float64 if q.dtype == torch.float64 else torch.float32


def _layout(
    plan: DecodePlan, stored: list[int], queries: int, group: int, window: int | None, slot_bytes: int
) -> Layout:
    step = plan.memo("torch", lambda: {"stored": None})
    if step["stored"] != stored:
        step.clear()
        step["stored"] = stored
    key = (queries, group, window, slot_bytes)
    if key not in step:
        step[key] = layout_of(plan, stored, queries, group, window, slot_bytes)
    return step[key]


def _append(pool: torch.Tensor, new: torch.Tensor, layout: Layout) -> None:
    if layout.into is not None:
        pool.transpose(1, 2)[layout.into] = new
        return
    block, queries = layout.blocks[0], new.shape[1]
    into = _narrow(pool, 0, block.slot_start, block.slot_stop).narrow(2, block.stop - queries, queries)
    into.copy_(new.transpose(1, 2))


def _narrow(x: torch.Tensor, dim: int, start: int, stop: int) -> torch.Tensor:
    # a view costs more than the test for needing none
    return x if stop - start == x.shape[dim] else x.narrow(dim, start, stop - start)


def _context_part(
    attend: partial[_Part],
    stacked: torch.Tensor,
    plan: DecodePlan,
    store: LayerStore,
    level: tuple[Piece, ...],
) -> _Part:
    _, kv_heads, queries, width = stacked.shape
    rows = plan.rows
    per_row = queries // rows
    views = plan.memo(("views", level), partial(_pool_views, store, level), of=store)
    if len(level) == 1:
        tiles: Sequence[torch.Tensor] = (stacked,)
    else:
        tiles = stacked.split([(piece.row_stop - piece.row_start) * per_row for piece in level], dim=2)
    found = [
        attend(q, k, v, visible=piece.visible) for q, (k, v), piece in zip(tiles, views, level, strict=True)
    ]
    out, lse = _beside(found, dim=2)
    return _Part(
        out.view(kv_heads, rows, per_row, width).transpose(0, 1),
        lse.view(kv_heads, rows, per_row).transpose(0, 1),
    )


def _pool_views(store: LayerStore, level: tuple[Piece, ...]) -> list[list[torch.Tensor]]:
    return [[_narrow(pool, 1, piece.start, piece.stop).unsqueeze(0) for pool in store[:2]] for piece in level]


def _decode_part(
    attend: partial[_Part], by_row: torch.Tensor, store: LayerStore, blocks: tuple[Block, ...]
) -> _Part:
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
            for pool in (store.k_decode, store.v_decode)
        )
        part = attend(q, k, v, visible=block.visible)
        if block.offsets is not None:
            part = _Part(part.out.index_select(0, block.offsets), part.lse.index_select(0, block.offsets))
        found.append(part)
    return _beside(found, dim=0)


def _beside(parts: list[_Part], dim: int) -> _Part:
    if len(parts) == 1:
        return parts[0]
    return _Part(torch.cat([part.out for part in parts], dim), torch.cat([part.lse for part in parts], dim))


def _attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    scale: float,
    softcap: float | None,
    visible: Visible | None,
) -> _Part:
    """Attend q [B, G, M, D] to k, v [B, G, N, D]: out [B, G, M, D] and lse [B, G, M] in q's dtype."""
    fused = q.device.type == "cpu" and softcap is None
    tokens = k.shape[2]
    if tokens == 0:
        return _Part(torch.zeros_like(q), q.new_full(q.shape[:3], _NEG_INF))
    if fused and visible is None and k.dtype == q.dtype:
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
        mask = None if visible is None else visible.mask(begin, end, q.dtype)
        part = _attend_chunk(q, kc, vc, scale, softcap, mask, fused)
        if visible is not None and not part.out.isfinite().all():
            # unseen keys take part with weight 0, which is exact unless they are not finite
            used = visible.used(begin, end)[:, None, :, None]
            part = _attend_chunk(q, kc.where(used, 0), vc.where(used, 0), scale, softcap, mask, fused)
        parts.append(part)
    return reduce(_merge, parts)


def _attend_chunk(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
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
