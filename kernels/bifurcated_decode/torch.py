"""PyTorch backend: one product per KV head over all rows of a shared segment, one over each slot block.

A shared segment is read once for all its rows, and neither keys nor values are copied or joined; where
one run of slots holds rows of one length, the decode part is a single call over a view. On a CPU the
scores of fp32 and fp64 never leave the cache. Otherwise keys go by in chunks, whose scores, masks and
widened keys and values take at most `SCRATCH_BYTES`, the only extra memory that grows with the context.
Partial results are fp32 (fp64 for fp64). Row lengths are read on the host: on a GPU each call waits for it.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import NamedTuple

import torch

from codesample.kernels.bifurcated_decode.api import DecodeOutput, LayerStore, stored_on_host
from codesample.kernels.bifurcated_decode.layout import Block, Layout, Mask, Piece, Visible, layout_of
from codesample.kernels.bifurcated_decode.plan import DecodePlan

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
    group = heads // kv_heads
    stored = stored_on_host(lens, queries, store, written=k_new is not None)
    layout = _layout(plan, stored, queries, group, window, 2 * kv_heads * width * q.element_size())
    if k_new is not None and v_new is not None:
        _append(store.k_decode, k_new, layout)
        _append(store.v_decode, v_new, layout)
    wide = q.dtype if q.dtype == torch.float64 else torch.float32
    # [R, Q, G, H / G, D]
    grouped = q.to(wide).view(rows, queries, kv_heads, group, width)
    # [1, G, R * Q * H / G, D], rows outermost in the third dimension
    stacked = grouped.permute(2, 0, 1, 3, 4).reshape(1, kv_heads, -1, width)
    attend = partial(_attend, scale=scale, softcap=softcap)
    parts = [_context_part(attend, stacked, grouped.shape, store, level) for level in layout.levels]
    parts.append(_decode_part(attend, grouped, store, layout.blocks))
    return _join(parts, q, sinks)


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
    block = layout.blocks[0]
    at = block.stop - new.shape[1]
    pool[block.slot_start : block.slot_stop, :, at : block.stop] = new.transpose(1, 2)


def _context_part(
    attend: partial[_Part],
    stacked: torch.Tensor,
    shape: torch.Size,
    store: LayerStore,
    level: tuple[Piece, ...],
) -> _Part:
    rows, queries, kv_heads, group, width = shape
    per_row = queries * group
    pools = store.k_shared[None], store.v_shared[None]
    found = [
        attend(
            stacked[:, :, piece.row_start * per_row : piece.row_stop * per_row],
            *(pool[:, :, piece.start : piece.stop] for pool in pools),
            visible=piece.visible,
        )
        for piece in level
    ]
    out, lse = found[0] if len(found) == 1 else (torch.cat(both, dim=2) for both in zip(*found, strict=True))
    return _Part(
        out.view(kv_heads, rows, queries, group, width).permute(1, 2, 0, 3, 4),
        lse.view(kv_heads, rows, queries, group).permute(1, 2, 0, 3),
    )


def _decode_part(
    attend: partial[_Part], grouped: torch.Tensor, store: LayerStore, blocks: tuple[Block, ...]
) -> _Part:
    rows, queries, kv_heads, group, width = grouped.shape
    found = []
    for block in blocks:
        # [n, G, Q * H / G, D]
        q = grouped[block.row_start : block.row_stop].transpose(1, 2).flatten(2, 3)
        if block.offsets is not None:
            spread = q.new_zeros(block.slot_stop - block.slot_start, *q.shape[1:])
            spread[block.offsets] = q
            q = spread
        slots = slice(block.slot_start, block.slot_stop)
        pools = (pool[slots, :, block.start : block.stop] for pool in (store.k_decode, store.v_decode))
        part = attend(q, *pools, visible=block.visible)
        found.append(part if block.offsets is None else _Part(*(x[block.offsets] for x in part)))
    out, lse = found[0] if len(found) == 1 else (torch.cat(both) for both in zip(*found, strict=True))
    return _Part(
        out.view(rows, kv_heads, queries, group, width).transpose(1, 2),
        lse.view(rows, kv_heads, queries, group).transpose(1, 2),
    )


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


def _merge(a: _Part, b: _Part) -> _Part:
    # the clamp keeps -inf minus -inf, two parts without keys, from becoming NaN
    share = torch.sigmoid(b.lse - a.lse.clamp_min(_LOWEST))
    return _Part(torch.lerp(a.out, b.out, share[..., None]), torch.logaddexp(a.lse, b.lse))


def _join(parts: list[_Part], q: torch.Tensor, sinks: torch.Tensor | None) -> DecodeOutput:
    out, lse = reduce(_merge, parts)
    out, lse = out.reshape(q.shape), lse.reshape(q.shape[:3])
    if sinks is not None:
        total = torch.logaddexp(lse, sinks.to(lse))
        out = out * torch.exp(lse - total.clamp_min(_LOWEST))[..., None]
        lse = total
    return DecodeOutput(out.to(q.dtype), lse)
