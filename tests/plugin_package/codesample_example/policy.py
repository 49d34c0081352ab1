"""A policy: which keys of a long prompt decode steps read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from codesample.policies.contract import Ask, Choice, SparsePolicy, StoredLayer

__all__ = ["Newest"]


@dataclass(frozen=True)
class Newest(SparsePolicy):
    """Read the last tokens of a prompt alone."""

    name = "newest"

    def prepare(self, layers: Sequence[StoredLayer]) -> list[None]:
        """Work out nothing."""
        return [None] * len(layers)

    def select(self, ask: Ask, state: None) -> Choice | None:
        """Take as many of the last tokens as are to be kept, for every head."""
        heads, tokens, _ = ask.keys.shape
        first = tokens - max(round(self.keep * tokens), 1)
        if first == 0:
            return None
        return Choice(torch.arange(first, tokens).expand(heads, -1), scored_bytes=0)
