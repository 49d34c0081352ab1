"""The policy that reads every key: what sampling does where no other is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesample.policies.contract import Ask, Choice, PrefixPolicy, StoredLayer

__all__ = ["Exact"]


@dataclass(frozen=True)
class Exact(PrefixPolicy):
    """Read every key of every prompt, once per group. The default.

    Source: arXiv:2403.08845.
    """

    name = "exact"
    reads_all = True

    def prepare(self, layers: Sequence[StoredLayer]) -> Sequence[None]:
        """Work out nothing."""
        return [None] * len(layers)

    def select(self, ask: Ask, state: None) -> Choice | None:
        """Leave nothing out."""
        return None
