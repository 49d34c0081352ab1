"""Attention over some of the keys, with its log-sum-exp, and how such parts become attention over all.

Of two sets of keys, the union has `l = logaddexp(l1, l2)` and `o = e^(l1-l) o1 + e^(l2-l) o2`. Log-sum-exps
are float64: in float32 one of 16 is rounded by a millionth, and so would every share be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.row_scores import row_logits
from codesample.sampling.hosts.shares import Range

__all__ = ["Part", "attend_partly", "merged_parts"]

# queries handled at once, whose scores are materialised
_BLOCK = 256
_LOWEST = torch.finfo(torch.float32).min


class Part(NamedTuple):
    """Attention over some keys.

    Attributes:
        out: [S, H, D], float32 or float64; 0 where a query sees none of them.
        lse: [S, H], float64, natural logarithm; -inf there.
    """

    out: Tensor
    lse: Tensor


def attend_partly(
    q: Tensor, at: Sequence[Range], k: Tensor, v: Tensor, of: Sequence[Range], scores: ScoreOptions
) -> Part:
    """Attend tokens of a prompt to some of its keys, each to those up to itself.

    Args:
        q: [H, S, D]; query head h reads KV head h // (H / G).
        at: Where the S tokens are in the prompt, rising.
        k, v: [G, K, D].
        of: Where their K tokens are, rising.
        scores: Scale, soft cap and sinks; no window.
    """
    heads, queries, _ = q.shape
    kv_heads = len(k)
    wide = torch.promote_types(q.dtype, torch.float32)
    # [G, H / G, S, D]
    rows = q.to(wide).unflatten(0, (kv_heads, -1))
    at_each, of_each = _positions(at), _positions(of)
    places, keys_at = (torch.tensor(each, device=q.device) for each in (at_each, of_each))
    outs, totals = [], []
    for begin in range(0, queries, _BLOCK):
        end = min(begin + _BLOCK, queries)
        seen = bisect_right(of_each, at_each[end - 1])
        block = rows[:, :, begin:end].flatten(1, 2)
        logits = row_logits(block, k[:, :seen], scores).unflatten(1, (-1, end - begin))
        logits = logits.masked_fill(keys_at[:seen] > places[begin:end, None], float("-inf"))
        total = logits.logsumexp(dim=3).clamp_min(_LOWEST)
        weights = (logits - total[..., None]).exp().flatten(1, 2)
        # 1 but for the rounding of the total, or 0 without a key
        sums = weights.sum(dim=2, keepdim=True)
        found = weights @ v[:, :seen].to(wide) / sums.clamp_min(0.5)
        outs.append(found.view(heads, end - begin, v.shape[2]))
        totals.append((total.double() + sums.double().log().view_as(total)).view(heads, end - begin))
    out, lse = torch.cat(outs, dim=1).transpose(0, 1), torch.cat(totals, dim=1).T
    if scores.sinks is not None:
        total = torch.logaddexp(lse, scores.sinks.to(lse))
        out, lse = out * (lse - total).exp()[..., None].to(wide), total
    return Part(out, lse)


def merged_parts(a: Part, b: Part) -> Part:
    """Return attention over the keys of both, which share none."""
    lse = torch.logaddexp(a.lse, b.lse)
    # where neither has a key, -inf minus -inf would be no number
    floor = lse.clamp_min(_LOWEST)
    shares = ((each.lse - floor).exp()[..., None].to(each.out.dtype) for each in (a, b))
    return Part(sum(share * each.out for share, each in zip(shares, (a, b), strict=True)), lse)  # type: ignore[arg-type]


def _positions(ranges: Sequence[Range]) -> list[int]:
    return [position for begin, end in ranges for position in range(begin, end)]
