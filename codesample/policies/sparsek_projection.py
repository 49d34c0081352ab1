"""SPARSEK: scores to weights in [0, 1] that sum to k, so that the top ones are taken and the edge is soft.

The weights are the point of {0 <= p <= 1, sum p = k} nearest to the scores: p_j = clip(u_j - t, 0, 1), with t
such that they sum to k. Source: arXiv:2406.16747.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.errors import ParameterError

__all__ = ["Projection", "SparsekStream", "sparsek"]


class Projection(NamedTuple):
    """Weights [..., N] and thresholds [...], fp64."""

    weights: Tensor
    threshold: Tensor


def sparsek(scores: Tensor, k: float) -> Projection:
    """Project scores onto weights in [0, 1] that sum to k, along the last dimension.

    Where several thresholds do, the largest is taken: it never falls while scores are added, so that whoever
    has weight 0 once has weight 0 for ever.

    Args:
        scores: [..., N], finite.
        k: At least 0. From N on all weights are 1, and the threshold is -inf.

    Raises:
        ParameterError: k is negative.
    """
    if k < 0:
        raise ParameterError(f"k = {k}: expected at least 0")
    u = scores.double()
    if k >= u.shape[-1]:
        return Projection(torch.ones_like(u), u.new_full(u.shape[:-1], float("-inf")))
    # the sum of weights falls piece by piece, with corners where a score meets t or t + 1
    rising = u.sort(dim=-1).values
    corners = torch.cat([u, u - 1], dim=-1).sort(dim=-1).values
    sums = _above(rising, corners) - _above(rising - 1, corners)
    # the last corner at which they sum to k or more, to rounding
    slack = 1e-13 * (1 + u.abs().sum(dim=-1, keepdim=True))
    at = (sums >= k - slack).sum(dim=-1, keepdim=True).sub(1).clamp_min(0)
    corner, total = corners.gather(-1, at), sums.gather(-1, at)
    following = (at + 1).clamp_max(corners.shape[-1] - 1)
    fall = (total - sums.gather(-1, following)).clamp_min(1e-300)
    step = (corners.gather(-1, following) - corner) * ((total - k) / fall).clamp(0, 1)
    threshold = corner + step
    return Projection((u - threshold).clamp(0, 1), threshold.squeeze(-1))


def _above(rising: Tensor, at: Tensor) -> Tensor:
    """Return the sum of max(u - t, 0) over rising scores u, for each t."""
    count = rising.shape[-1]
    behind = rising.flip(-1).cumsum(dim=-1).flip(-1)
    behind = torch.cat([behind, torch.zeros_like(behind[..., :1])], dim=-1)
    first = torch.searchsorted(rising, at, right=True)
    return behind.gather(-1, first) - (count - first) * at


class SparsekStream:
    """The projection of scores that come one by one; each costs O(log n) on average.

    Args:
        k: As in `sparsek`, a whole number of at least 1.
    Attributes:
        threshold: Of all scores so far; it never falls.
        kept: The numbers of the scores that have weight, and these scores.
    """

    def __init__(self, k: int) -> None:
        if k < 1:
            raise ParameterError(f"k = {k}: expected at least 1")
        self._k, self._count, self._sum = k, 0, 0.0
        self.threshold = float("-inf")
        # (score, number), smallest first: those of weight 1, and those of weights between
        self._whole: list[tuple[float, int]] = []
        self._part: list[tuple[float, int]] = []

    @property
    def kept(self) -> dict[int, float]:
        """See above."""
        return {number: score for score, number in (*self._whole, *self._part)}

    def weight(self, score: float) -> float:
        """Return the weight that a score has now."""
        return min(max(score - self.threshold, 0.0), 1.0)

    def push(self, score: float) -> float:
        """Take in the next score, and return the threshold."""
        number, self._count = self._count, self._count + 1
        if score > self.threshold:
            whole = score - self.threshold >= 1
            heappush(self._whole if whole else self._part, (score, number))
            self._sum += 0.0 if whole else score
            if self._count > self._k:
                self._raise()
        return self.threshold

    def _raise(self) -> None:
        """Move the threshold to the right until weights sum to k, past corners as they come."""
        while True:
            corner = min(
                self._part[0][0] if self._part else float("inf"),
                self._whole[0][0] - 1 if self._whole else float("inf"),
            )
            wanted = self._k - len(self._whole)
            if self._part:
                settled = (self._sum - wanted) / len(self._part)
                if settled < corner:
                    self.threshold = max(self.threshold, settled)
                    return
            elif wanted >= 0:
                self.threshold = max(self.threshold, corner)
                return
            if self._part and self._part[0][0] == corner:
                self._sum -= heappop(self._part)[0]
            else:
                entry = heappop(self._whole)
                heappush(self._part, entry)
                self._sum += entry[0]
            if not self._part:
                self._sum = 0.0
