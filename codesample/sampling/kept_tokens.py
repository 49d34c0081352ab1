"""Which tokens of a vocabulary top-p and min-p may keep at all, told by a bound: no more need be sorted."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Reach", "packed", "within_reach"]

# far above what is rounded of a sum of probabilities, and of a log-probability
_ROUNDED = 1e-5


class Reach(NamedTuple):
    """Tokens that may be kept: how many of each row, [R], their values and ids by rising id, [R, W]."""

    counts: Tensor
    values: Tensor
    ids: Tensor


def within_reach(logprobs: Tensor, mass: Tensor, *, top_p: float, min_p: float) -> Tensor:
    """Return which tokens top-p and min-p may keep, [R, V] bool; a row that is no number has none.

    Before the last token that top-p keeps there is less than top_p of the mass. From it on there is more than
    the rest, then, and it has at least an even share of that.

    Args:
        logprobs: [R, V], float32 or float64; -inf for what cannot come.
        mass: [R], what their probabilities add up to; torch's float32 misses 1 by up to a ten-thousandth.
        top_p: Above 0; 1 for none.
        min_p: 0 for none.
    """
    share = max(0.0, 1 - top_p - _ROUNDED) / logprobs.shape[-1]
    least = (share * mass).log().to(logprobs.dtype)[:, None]
    if min_p > 0:
        least = torch.maximum(least, logprobs.amax(-1, keepdim=True) + (math.log(min_p) - _ROUNDED))
    return logprobs >= least


def packed(logprobs: Tensor, within: Tensor) -> Reach:
    """Put each row's values that are `within` side by side, rows with fewer filled up with -inf."""
    counts = within.sum(-1)
    rows, columns = within.nonzero(as_tuple=True)
    places = torch.arange(len(rows), device=rows.device) - (counts.cumsum(-1) - counts)[rows]
    ids = columns.new_zeros(len(logprobs), max(1, int(counts.max()))).index_put_((rows, places), columns)
    values = logprobs.new_full(ids.shape, float("-inf")).index_put_((rows, places), logprobs[rows, columns])
    return Reach(counts, values, ids)
