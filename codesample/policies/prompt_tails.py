"""Listens to a prefill for what policies want of it: the last queries of each stored run, layer by layer."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions

__all__ = ["PromptTails", "Tail"]


class Tail(NamedTuple):
    """Queries [H, W, D] of the last tokens of a stored run in one layer, and how that layer weighs keys."""

    queries: Tensor
    scores: ScoreOptions


class PromptTails:
    """Keeps the last queries of some stored runs while they are prefilled.

    Args:
        starts: Where the runs begin in the pool of shared tokens.
        count: How many of the last queries to keep, at least 1.
    """

    def __init__(self, starts: Collection[int], count: int) -> None:
        self._starts, self._count = frozenset(starts), count
        self._found: dict[int, dict[int, Tail]] = {}

    def hear(self, start: int, layer: int, queries: Tensor, scores: ScoreOptions) -> None:
        """Be told of the next queries of a run, [H, T, D], in the order of its tokens."""
        if start not in self._starts:
            return
        layers = self._found.setdefault(start, {})
        last = queries[:, -self._count :]
        if layer in layers and last.shape[1] < self._count:
            last = torch.cat([layers[layer].queries, last], dim=1)[:, -self._count :]
        layers[layer] = Tail(last.clone(), scores)

    def of(self, start: int) -> dict[int, Tail]:
        """Return by layer what was heard of a run; it is forgotten."""
        return self._found.pop(start, {})
