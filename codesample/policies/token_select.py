"""TokenSelect: tokens by the votes of heads and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.policies.contract import Ask, Choice, SparsePolicy, StoredLayer
from codesample.policies.row_scores import pooled_rows, token_votes
from codesample.records.fields import setting

__all__ = ["TokenSelect"]


@dataclass(frozen=True)
class TokenSelect(SparsePolicy):
    """Read the tokens that get most attention, summed over query heads and samples, and those at both ends.

    Nothing is prepared. Every choice reads all keys, once or twice, so that it costs from half as much as an
    exact step to as much, shared among the steps that it serves.

    Attributes:
        first, last: Tokens at either end that are always read, within `keep` as far as it reaches.
        width: A token gets the most votes of so many around it, an odd number.
        scope: "kv-head" lets each KV head choose by itself; "layer", as published, all together.

    Source: arXiv:2411.02886, with original positions, 1/sqrt(D), and the samples among the voters.
    """

    name = "token-select"

    similarity: float = setting(
        0.9,
        "Cosine of mean queries below which a choice is made anew.",
        expected="a number in [0, 1]",
        holds=lambda value: 0 <= value <= 1,
    )
    first: int = setting(
        128, "Tokens at the start always read.", expected="at least 0", holds=lambda value: value >= 0
    )
    last: int = setting(
        512, "Tokens at the end always read.", expected="at least 0", holds=lambda value: value >= 0
    )
    width: int = setting(
        1,
        "Neighbours that share their votes.",
        expected="an odd number of at least 1",
        holds=lambda value: value >= 1 and value % 2 == 1,
    )
    scope: str = setting(
        "kv-head",
        "Who chooses together.",
        expected="'kv-head' or 'layer'",
        holds=lambda value: value in ("kv-head", "layer"),
    )

    def prepare(self, layers: Sequence[StoredLayer]) -> list[None]:
        """Work out nothing."""
        return [None] * len(layers)

    def select(self, ask: Ask, state: None) -> Choice | None:
        """Take the tokens of most votes; every head as many."""
        kv_heads, tokens, _ = ask.keys.shape
        budget = math.ceil(self.keep * tokens)
        count = max(budget - self.first - self.last, 1)
        if self.first + count + self.last >= tokens:
            return None
        keys = ask.keys[:, self.first : tokens - self.last]
        votes, read_bytes = token_votes(pooled_rows(ask.queries, kv_heads), keys, ask.scores)
        if self.scope == "layer":
            votes = votes.sum(dim=0, keepdim=True).expand(kv_heads, -1)
        if self.width > 1:
            width = min(self.width, 2 * votes.shape[1] - 1)
            votes = F.max_pool1d(votes, width, stride=1, padding=width // 2)
        # of equal tokens the first
        chosen = votes.argsort(dim=1, descending=True, stable=True)[:, :count].sort(dim=1).values
        index = torch.cat(
            [
                _range(0, self.first, chosen),
                chosen + self.first,
                _range(tokens - self.last, tokens, chosen),
            ],
            dim=1,
        )
        return Choice(index, read_bytes)


def _range(begin: int, end: int, like: Tensor) -> Tensor:
    return torch.arange(begin, end, device=like.device).expand(len(like), -1)
