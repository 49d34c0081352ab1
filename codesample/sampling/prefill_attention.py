"""Causal attention of prompt tokens over everything stored before them; plain library code."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend_causally"]

# queries handled at once where scores are materialised or masked, so that memory stays linear in the keys
_BLOCK = 512


def attend_causally(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
    softcap: float | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """Attend the last S of K tokens to all tokens up to themselves.

    Args:
        q: [H, S, D], the queries of tokens K-S .. K-1.
        k, v: [G, K, D]; query head h reads head h // (H / G).
        scale: Factor on the scores. Default: 1 / sqrt(D).
        window: A key is seen while query position - key position < window. Default: no limit.
        softcap: c in c·tanh(score / c). Default: none.
        sinks: [H], logits that enter the normaliser once. Default: none.
    Returns:
        [S, H, D], dtype of q.
    """
    queries, keys = q.shape[1], k.shape[1]
    if softcap is None and sinks is None and queries == keys and (window is None or window >= keys):
        return _sdpa(q, k, v, scale, None).transpose(0, 1)
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
        part = q[:, begin:end], k[:, first:last], v[:, first:last]
        if softcap is None and sinks is None:
            blocks.append(_sdpa(*part, scale, seen))
        else:
            blocks.append(_explicit(*part, scale, seen, softcap, sinks))
    return torch.cat(blocks, dim=1).transpose(0, 1)


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
    scale: float | None,
    seen: Tensor,
    softcap: float | None,
    sinks: Tensor | None,
) -> Tensor:
    groups = len(q) // len(k)
    keys, values = k.repeat_interleave(groups, 0), v.repeat_interleave(groups, 0)
    scores = (q @ keys.transpose(1, 2)) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, float("-inf"))
    if sinks is not None:
        scores = torch.cat([scores, sinks.to(scores.dtype)[:, None, None].expand(-1, scores.shape[1], 1)], -1)
    weights = scores.softmax(-1, dtype=torch.float32 if q.dtype != torch.float64 else None).to(values.dtype)
    return weights[..., : keys.shape[1]] @ values
