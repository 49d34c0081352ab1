"""Causal attention of prompt tokens over everything stored before them; plain library code."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.backends.cuda import SDPAParams, can_use_flash_attention
from torch.nn.attention.bias import causal_lower_right

from codesample.kernels.bifurcated_decode import BlockPattern, ScoreOptions
from codesample.kernels.bifurcated_decode.torch_parts import attend, attend_own, merge
from codesample.policies.prefill.prefill_policy import Stretch

__all__ = ["attend_causally", "attend_in_stretches"]

# queries handled at once where scores are materialised or masked, so that memory stays linear in the keys
_BLOCK = 512
_EVERYTHING = ScoreOptions()


def attend_causally(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scores: ScoreOptions = _EVERYTHING,
    pattern: BlockPattern | None = None,
) -> Tensor:
    """Attend the last S of K tokens to all tokens up to themselves.

    Args:
        q: [H, S, D], the queries of tokens K-S .. K-1.
        k, v: [G, K, D]; query head h reads head h // (H / G).
        scores: Scale, window, soft cap and sinks. Default: plain attention over everything.
        pattern: Which blocks of earlier tokens are seen, key 0 standing at position 0. Default: all.
    Returns:
        [S, H, D], dtype of q.
    """
    scale, window, softcap, sinks, in_bf16 = scores
    queries, keys = q.shape[1], k.shape[1]
    if softcap is None and sinks is None and pattern is None and (window is None or window >= keys):
        on_cpu = q.device.type == "cpu" and q.dtype in (torch.float32, torch.float64)
        if queries == keys and not (on_cpu and in_bf16):
            return _sdpa(q, k, v, scale, None).transpose(0, 1)
        if _flash_serves(q, k, v):
            return _sdpa(q, k, v, scale, causal_lower_right(queries, keys)).transpose(0, 1)
        if on_cpu:
            return _in_two(q, k, v, scores).transpose(0, 1)
    if q.device.type != "cpu" and len(q) != len(k):
        # fused kernels of a GPU take a mask or grouped heads, not both; what serves both keeps all scores
        k, v = (x.repeat_interleave(len(q) // len(k), 0) for x in (k, v))
    blocks = []
    for begin in range(0, queries, _BLOCK):
        end = min(begin + _BLOCK, queries)
        last = keys - queries + end
        first = 0 if window is None else max(0, keys - queries + begin + 1 - window)
        at = torch.arange(keys - queries + begin, last, device=q.device)[:, None]
        of = torch.arange(first, last, device=q.device)
        seen = of <= at
        if window is not None:
            seen &= at - of < window
        if pattern is not None:
            blocks_of = of // pattern.block_size
            seen = seen & pattern.sees(at[:, 0] // pattern.block_size, blocks_of, len(q))
        part = q[:, begin:end], k[:, first:last], v[:, first:last]
        if softcap is None and sinks is None:
            blocks.append(_sdpa(*part, scale, seen))
        else:
            blocks.append(_explicit(*part, scores, seen))
    return torch.cat(blocks, dim=1).transpose(0, 1)


def attend_in_stretches(
    q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions, stretches: Sequence[Stretch]
) -> Tensor:
    """Attend the last S of K tokens to the keys that each stretch of them reads.

    Args:
        q, k, v, scores: As in `attend_causally`.
        stretches: Of tokens K-S .. K-1, one behind another.
    Returns:
        [S, H, D], dtype of q.
    """
    first = k.shape[1] - q.shape[1]
    parts = []
    for begin, end, own, earlier in stretches:
        keys, values = k[:, own:end], v[:, own:end]
        if earlier is not None:
            keys, values = (
                torch.cat([x.gather(1, earlier[..., None].expand(-1, -1, x.shape[2])), near], dim=1)
                for x, near in ((k, keys), (v, values))
            )
        parts.append(attend_causally(q[:, begin - first : end - first], keys, values, scores))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _in_two(q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
    """Attend to what stands before the queries' own tokens, of which all is seen, and to these; no mask."""
    before, scale, in_bf16 = k.shape[1] - q.shape[1], scores.scale_for(q.shape[-1]), scores.in_bf16
    q, k, v = q[None], k[None], v[None]
    own = attend_own(q, k[:, :, before:], v[:, :, before:], scale=scale, in_bf16=in_bf16)
    if not before:
        return own.out[0]
    earlier = (x[:, :, :before] for x in (k, v))
    return merge(
        attend(q, *earlier, scale=scale, softcap=None, seen=None, in_bf16=in_bf16), own, certain=True
    ).out[0]


def _flash_serves(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether flash attention of a GPU takes these: heads stay grouped, and it aligns the mask itself."""
    if q.device.type != "cuda":
        return False
    return can_use_flash_attention(SDPAParams(q[None], k[None], v[None], None, 0.0, False, len(q) != len(k)))


def _sdpa(q: Tensor, k: Tensor, v: Tensor, scale: float | None, seen: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(
        q[None],
        k[None],
        v[None],
        attn_mask=seen,
        is_causal=seen is None,
        scale=scale,
        enable_gqa=len(q) != len(k),
    )[0]


def _explicit(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    options: ScoreOptions,
    seen: Tensor,
) -> Tensor:
    softcap, sinks = options.softcap, options.sinks
    groups = len(q) // len(k)
    keys, values = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = (q @ keys.transpose(1, 2)) * options.scale_for(q.shape[-1])
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, float("-inf"))
    if sinks is not None:
        scores = torch.cat([scores, sinks.to(scores.dtype)[:, None, None].expand(-1, scores.shape[1], 1)], -1)
    weights = scores.softmax(-1, dtype=torch.float32 if q.dtype != torch.float64 else None).to(values.dtype)
    return weights[..., : keys.shape[1]] @ values
