"""Quest: pages of keys by an upper bound of each query's scores in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.contract import Ask, Choice, SparsePolicy, StoredLayer
from codesample.policies.row_scores import pooled_rows
from codesample.records.fields import setting

__all__ = ["Quest"]


class _Pages(NamedTuple):
    # [G, P, D] both, dtype of the keys
    high: Tensor
    low: Tensor


@dataclass(frozen=True)
class Quest(SparsePolicy):
    """Read the pages whose keys could score highest, by their smallest and largest value in each dimension.

    Attributes:
        page: Tokens of a page.
        first, last: Pages at either end that are always read.

    Source: arXiv:2406.10774, with the softmax of the bounds summed over all rows of a group.
    """

    name = "quest"
    reads_keys = False

    page: int = setting(16, "Tokens of a page.", expected="at least 1", holds=lambda value: value >= 1)
    first: int = setting(
        1, "Pages at the start always read.", expected="at least 0", holds=lambda value: value >= 0
    )
    last: int = setting(
        1, "Pages at the end always read.", expected="at least 1", holds=lambda value: value >= 1
    )

    def prepare(self, layers: Sequence[StoredLayer]) -> list[_Pages]:
        """Take each page's bounds."""
        return [self._pages(layer.keys) for layer in layers]

    def _pages(self, keys: Tensor) -> _Pages:
        kv_heads, tokens, width = keys.shape
        page = min(self.page, tokens)
        # a short last page repeats its last key, which moves no bound
        missing = -tokens % page
        if missing:
            keys = torch.cat([keys, keys[:, -1:].expand(-1, missing, -1)], dim=1)
        pages = (
            keys.view(kv_heads, -1, page, width) if keys.is_contiguous() else keys.unflatten(1, (-1, page))
        )
        return _Pages(pages.amax(dim=2), pages.amin(dim=2))

    def select(self, ask: Ask, state: _Pages) -> Choice | None:
        """Take the pages of most votes; every head as many."""
        tokens, (kv_heads, pages, _) = ask.keys.shape[1], state.high.shape
        forced = min(self.first, pages) + min(self.last, pages)
        count = max(math.ceil(self.keep * pages), forced)
        if count >= pages:
            return None
        votes = page_bounds(pooled_rows(ask.queries, kv_heads), state.high, state.low, ask.scores)
        votes = votes.softmax(dim=2).sum(dim=1)
        votes[:, : self.first] = votes[:, pages - self.last :] = float("inf")
        # of equal pages the first
        chosen = votes.argsort(dim=1, descending=True, stable=True)[:, :count].sort(dim=1).values
        index = chosen[..., None] * self.page + torch.arange(self.page, device=chosen.device)
        # the last page, which may be short, is every head's last
        index = index.flatten(1)[:, : count * self.page - (pages * self.page - tokens)]
        return Choice(index, state.high.nbytes + state.low.nbytes)


def page_bounds(rows: Tensor, high: Tensor, low: Tensor, scores: ScoreOptions) -> Tensor:
    """Return for each row and page a bound that no key of the page scores above.

    Args:
        rows: [G, n, D].
        high, low: [G, P, D], largest and smallest value of the page's keys in each dimension.
        scores: Of the layer.

    Returns: [G, n, P], logits.
    """
    high, low = high.to(rows.dtype), low.to(rows.dtype)
    # where a query is positive the largest value bounds it, elsewhere the smallest
    bound = F.relu(rows) @ high.transpose(1, 2) - F.relu(-rows) @ low.transpose(1, 2)
    bound = bound * scores.scale_for(rows.shape[2])
    return bound if scores.softcap is None else scores.softcap * torch.tanh(bound / scores.softcap)
