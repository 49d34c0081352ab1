"""Listens to a prefill for what policies want of it: the last queries of each stored run, layer by layer."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.storage_accounting import StorageTally

__all__ = ["PromptTails", "Tail"]


class Tail(NamedTuple):
    """What a stored run's prefill told of one layer.

    Attributes:
        queries: [H, W, D], of its last tokens.
        scores: How the layer weighs keys.
        learned: [G, M], scores that the checkpoint gives all its tokens, if it gives any.
    """

    queries: Tensor
    scores: ScoreOptions
    learned: Tensor | None = None


class PromptTails:
    """Keeps the last queries of some stored runs while they are prefilled.

    Args:
        starts: Where the runs begin in the pool of shared tokens.
        count: How many of the last queries to keep, at least 1.
        storage: Who is told how far outputs move where keys are stored in 8 bits, if anybody is.
    """

    def __init__(self, starts: Collection[int], count: int, storage: StorageTally | None = None) -> None:
        self._starts, self._count, self.storage = frozenset(starts), count, storage
        self._found: dict[int, dict[int, Tail]] = {}
        self._scored: dict[int, dict[int, list[Tensor]]] = {}

    def hear(self, start: int, layer: int, queries: Tensor, scores: ScoreOptions) -> None:
        """Be told of the next queries of a run, [H, T, D], in the order of its tokens."""
        if start not in self._starts:
            return
        layers = self._found.setdefault(start, {})
        last = queries[:, -self._count :]
        if layer in layers and last.shape[1] < self._count:
            last = torch.cat([layers[layer].queries, last], dim=1)[:, -self._count :]
        layers[layer] = Tail(last.clone(), scores)

    def hear_scores(self, start: int, layer: int, scores: Tensor) -> None:
        """Be told of what the checkpoint gives the next tokens of a run, [G, T]."""
        if start in self._starts:
            self._scored.setdefault(start, {}).setdefault(layer, []).append(scores)

    def of(self, start: int) -> dict[int, Tail]:
        """Return by layer what was heard of a run; it is forgotten."""
        found, scored = self._found.pop(start, {}), self._scored.pop(start, {})
        return {
            layer: tail._replace(learned=torch.cat(scored[layer], dim=1)) if layer in scored else tail
            for layer, tail in found.items()
        }
