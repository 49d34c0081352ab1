"""Attention over some of the keys in PyTorch, and the join of such parts.

Shapes: B batches, G KV heads, M packed query rows, N keys, D head width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.call import DecodeOutput
from codesample.kernels.bifurcated_decode.packed_keys import PackedView
from codesample.kernels.bifurcated_decode.step_views import Mask, Seen

__all__ = [
    "NEG_INF",
    "SCRATCH_BYTES",
    "Part",
    "attend",
    "attend_chunk",
    "attend_own",
    "beside",
    "by_row",
    "finished",
    "merge",
    "partial_dtype",
]

SCRATCH_BYTES = 64 << 20
NEG_INF = float("-inf")
_LOWEST = torch.finfo(torch.float32).min
# from where bfloat16 is faster than float32, narrowing included (docs/benchmarks/attention.md)
_MANY_QUERIES, _MANY_KEYS = 64, 512

# Attention and its log-sum-exp in one pass that keeps scores in cache; the public function drops the latter.
_fused_on_cpu = torch._scaled_dot_product_flash_attention_for_cpu


class Part(NamedTuple):
    """Attention over some of the keys: [B, G, M, D] and [B, G, M]; rows that see none are (0, -inf)."""

    out: Tensor
    lse: Tensor


def attend(
    q: Tensor,
    k: Tensor | PackedView,
    v: Tensor | None,
    *,
    scale: float,
    softcap: float | None,
    seen: Seen | None,
    cuts: Sequence[int] = (),
    in_bf16: bool = False,
) -> Part:
    """Attend q [B, G, M, D] to k, v [B, G, N, D], in q's dtype; at `cuts` keys are taken apart.

    Where both are packed, v is None. See `ScoreOptions` for `in_bf16`.
    """
    fused = softcap is None and q.device.type == "cpu"
    tokens = k.shape[2]
    if tokens == 0:
        return Part(torch.zeros_like(q), q.new_full(q.shape[:3], NEG_INF))
    whole = False
    if isinstance(k, PackedView) or v is None:
        assert isinstance(k, PackedView)
        read = partial(k.chunk, dtype=q.dtype)
    else:
        whole = fused and seen is None and k.dtype == q.dtype
        if whole and not cuts:
            return _fused(q, k, v, scale=scale, in_bf16=in_bf16)
        read = partial(_widened, k, v, dtype=q.dtype)
    batch, kv_heads, rows, width = q.shape
    row_bytes = q.element_size() * rows * batch
    key_bytes = 2 * row_bytes + (0 if fused else 3 * kv_heads * row_bytes)
    key_bytes += 4 * q.element_size() * batch * kv_heads * width
    chunk = tokens if whole else max(SCRATCH_BYTES // key_bytes, 1)
    parts = []
    for begin, end in _ranges((0, *cuts, tokens), chunk):
        kc, vc = read(begin, end)
        mask = None if seen is None else seen.mask(begin, end, q.dtype)
        part = attend_chunk(q, kc, vc, scale, softcap, mask, fused)
        # a sum is one operator; where it alone is not finite, the same is computed once more
        if seen is not None and not math.isfinite(float(part.out.sum())):
            # unseen keys take part with weight 0, which is exact unless they are not finite
            used = seen.used(begin, end)[..., None]
            part = attend_chunk(q, kc.where(used, 0), vc.where(used, 0), scale, softcap, mask, fused)
        parts.append(part)
    return reduce(merge, parts)


def attend_own(q: Tensor, k: Tensor, v: Tensor, *, scale: float, in_bf16: bool = False) -> Part:
    """Attend q [1, H, N, D] to k, v [1, G, N, D], each query to the keys up to its own, on a CPU."""
    return _fused(q, k, v, scale=scale, in_bf16=in_bf16, is_causal=True)


def _fused(q: Tensor, k: Tensor, v: Tensor, *, scale: float, in_bf16: bool, is_causal: bool = False) -> Part:
    """Attend in one pass of a CPU, to all keys or to those up to each query's own."""
    many = q.shape[2] >= _MANY_QUERIES and k.shape[2] >= _MANY_KEYS
    narrows = in_bf16 and many and q.dtype == torch.float32
    if narrows:
        # anew at each step: a copy that is kept would have to follow them
        q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    # whose strides it does not ask for
    q, k, v = (x if x.stride(3) == 1 else x.contiguous() for x in (q, k, v))
    out, lse = _fused_on_cpu(q, k, v, is_causal=is_causal, scale=scale)
    return Part(out.float() if narrows else out, lse)


def _widened(k: Tensor, v: Tensor, begin: int, end: int, *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    return k[:, :, begin:end].to(dtype), v[:, :, begin:end].to(dtype)


def _ranges(bounds: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    for first, last in pairwise(bounds):
        for begin in range(first, last, most):
            yield begin, min(begin + most, last)


def attend_chunk(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    softcap: float | None,
    mask: Mask | None,
    fused: bool,
) -> Part:
    """Attend to all keys at once, `fused` in one pass of a CPU; k and v have q's dtype."""
    if fused:
        out, lse = _fused_on_cpu(q, k, v, attn_mask=None if mask is None else mask.bias, scale=scale)
        if mask is not None and mask.dead is not None:
            out = out.masked_fill(mask.dead[..., None], 0.0)
            lse = lse.masked_fill(mask.dead, NEG_INF)
        return Part(out, lse)
    scores = (q @ k.transpose(2, 3)).mul_(scale)
    if softcap is not None:
        scores.div_(softcap).tanh_().mul_(softcap)
    if mask is not None:
        scores += mask.bias
    top = scores.amax(dim=3, keepdim=True).clamp_min_(_LOWEST)
    weights = scores.sub_(top).exp_()
    total = weights.sum(dim=3, keepdim=True)
    out = (weights @ v).div_(total.clamp_min(torch.finfo(q.dtype).tiny))
    return Part(out, (top + total.log()).squeeze(3))


def merge(a: Part, b: Part, *, certain: bool = False) -> Part:
    """Join two parts; `certain` says that every row of b has keys."""
    # unless every row of b certainly has keys, keep -inf minus -inf from becoming NaN
    floor = b.lse if certain else b.lse.clamp_min(_LOWEST)
    share = torch.sigmoid(a.lse - floor)
    return Part(torch.lerp(b.out, a.out, share.unsqueeze(-1)), torch.logaddexp(a.lse, b.lse))


def beside(parts: Sequence[Part], dim: int) -> Part:
    """Put parts of different rows side by side."""
    if len(parts) == 1:
        return parts[0]
    return Part(torch.cat([part.out for part in parts], dim), torch.cat([part.lse for part in parts], dim))


def by_row(q: Tensor, kv_heads: int) -> Tensor:
    """Regroup queries [R, Q, H, D] by KV head: [R, G, Q * H / G, D]."""
    rows, queries, heads, width = q.shape
    if queries > 1:
        q = q.view(rows, queries, kv_heads, heads // kv_heads, width).transpose(1, 2)
    return q.reshape(rows, kv_heads, queries * heads // kv_heads, width)


def partial_dtype(q: Tensor) -> torch.dtype:
    """Return what parts are computed in."""
    return torch.float64 if q.dtype == torch.float64 else torch.float32


def finished(part: Part, q: Tensor, sinks: Tensor | None) -> DecodeOutput:
    """Regroup what queries [R, Q, H, D] found as they stand, and let the sinks in."""
    (rows, queries, heads, _), (out, lse) = q.shape, part
    if queries > 1:
        out = out.unflatten(2, (queries, -1)).transpose(1, 2)
        lse = lse.unflatten(2, (queries, -1)).transpose(1, 2)
    out, lse = out.reshape(q.shape), lse.reshape(rows, queries, heads)
    if sinks is not None:
        total = torch.logaddexp(lse, sinks.to(lse))
        out = out * torch.exp(lse - total.clamp_min(_LOWEST)).unsqueeze(3)
        lse = total
    return DecodeOutput(out if out.dtype == q.dtype else out.to(q.dtype), lse)
