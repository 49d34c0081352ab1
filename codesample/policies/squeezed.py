"""Squeezed attention: keys are clustered once, and read where a cluster's score passes one threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.policies.contract import Ask, Choice, PseudoKeys, SparsePolicy, StoredLayer
from codesample.policies.row_scores import pooled_rows, row_logits
from codesample.policies.segment_kmeans import Clusters, cluster
from codesample.records.fields import setting

__all__ = ["Squeezed"]


class _Squeezed(NamedTuple):
    clusters: Clusters
    # of scores, the same for all layers and heads
    threshold: Tensor
    # what stands for clusters that are not read: their mean values, where these are wanted
    values: Tensor | None


@dataclass(frozen=True)
class Squeezed(SparsePolicy):
    """Read the clusters of keys whose estimated attention passes a threshold, and both ends of a prompt.

    The threshold is set once per prompt, so that the last queries of the prompt would read `keep` of it over
    all layers and heads together: heads get unequal shares by themselves.

    Attributes:
        clusters: Clusters per token.
        segment: Most tokens that are clustered together.
        first: First tokens that are always read. The published form has none, and misses what heads rest on.
        recent: Last tokens that are always read, and whose queries set the threshold.
        rounds: Most iterations of k-means.
        seed: Of its first centres.
        tail: "drop" leaves out what is not read; "estimate" lets a cluster's centre and mean value stand
            for its tokens.

    Source: arXiv:2411.09688; the estimate is that of arXiv:2505.02922.
    """

    name = "squeezed"
    reads_keys = False

    clusters: float = setting(
        0.05, "Clusters per token.", expected="a number in (0, 1]", holds=lambda value: 0 < value <= 1
    )
    segment: int = setting(
        8192, "Most tokens clustered together.", expected="at least 1", holds=lambda value: value >= 1
    )
    first: int = setting(
        4, "First tokens always read.", expected="at least 0", holds=lambda value: value >= 0
    )
    recent: int = setting(
        100, "Last tokens always read.", expected="at least 1", holds=lambda value: value >= 1
    )
    rounds: int = setting(
        10, "Most iterations of k-means.", expected="at least 0", holds=lambda value: value >= 0
    )
    seed: int = setting(
        0, "Of the first centres.", expected="a number in [0, 2^31)", holds=lambda value: 0 <= value < 2**31
    )
    tail: str = setting(
        "drop",
        "What becomes of the rest.",
        expected="'drop' or 'estimate'",
        holds=lambda value: value in ("drop", "estimate"),
    )

    @property
    def tail_queries(self) -> int:  # type: ignore[override]
        """As many as are always read."""
        return self.recent

    def prepare(self, layers: Sequence[StoredLayer]) -> list[_Squeezed | None]:
        """Cluster each layer's keys, and set the threshold over all of them."""
        if self.keep == 1:
            return [None] * len(layers)
        found: list[tuple[Clusters, Tensor | None]] = []
        scores, counts, stored = [], [], 0
        for layer in layers:
            stored = layer.keys.shape[1]
            keys, values = (x[:, self.first : max(x.shape[1] - self.recent, 0)] for x in layer[:2])
            made = cluster(keys, share=self.clusters, piece=self.segment, rounds=self.rounds, seed=self.seed)
            found.append((made, made.means(values) if self.tail == "estimate" else None))
            rows = pooled_rows(layer.queries.transpose(0, 1)[:, None], len(keys))
            scores.append(cluster_scores(rows, made, layer.scores).flatten().cpu())
            counts.append(made.sizes.flatten().cpu())
        # both ends count towards what is kept
        ends = self.first + self.recent
        share = max(self.keep * stored - ends, 0) / max(stored - ends, 1)
        threshold = _threshold(torch.cat(scores), torch.cat(counts), share)
        return [_Squeezed(made, threshold.to(made.centre.device), values) for made, values in found]

    def select(self, ask: Ask, state: _Squeezed | None) -> Choice | None:
        """Take the tokens of clusters above the threshold."""
        if state is None or ask.keys.shape[1] <= self.first + self.recent:
            return None
        clusters, tokens = state.clusters, ask.keys.shape[1]
        scores = cluster_scores(pooled_rows(ask.queries, len(ask.keys)), clusters, ask.scores)
        read = scores > state.threshold
        ends = torch.ones(len(read), self.first + self.recent, dtype=torch.bool, device=read.device)
        first, last = ends[:, : self.first], ends[:, self.first :]
        reads = torch.cat([first, read.gather(1, clusters.label), last], dim=1)
        if bool(reads.all()):
            return None
        # those that are read come first, each by its place
        longest = int(reads.sum(dim=1).max())
        order = torch.where(reads, torch.arange(tokens, device=read.device), tokens).sort(dim=1).values
        index = order[:, :longest].masked_fill(order[:, :longest] == tokens, -1)
        rest = None
        if state.values is not None:
            stands = ~read & (clusters.sizes > 0)
            rest = PseudoKeys(
                clusters.centre, state.values, _log_count(clusters).masked_fill(~stands, float("-inf"))
            )
        return Choice(index, clusters.centre.nbytes + clusters.label.nbytes, rest)


def cluster_scores(rows: Tensor, clusters: Clusters, scores: ScoreOptions) -> Tensor:
    """Return what share of attention each key of a cluster is estimated to get, mean over the rows, [G, K].

    As if all keys of a cluster were its centre. A cluster without keys gets 0.

    Args:
        rows: [G, n, D].
        clusters: Of the keys.
        scores: Of the layer.
    """
    logits = row_logits(rows, clusters.centre, scores)
    total = (logits + _log_count(clusters)[:, None]).logsumexp(dim=2, keepdim=True)
    return (logits - total).exp().mean(dim=1).masked_fill(clusters.sizes == 0, 0.0)


def _log_count(clusters: Clusters) -> Tensor:
    return clusters.sizes.to(clusters.centre.dtype).log()


def _threshold(scores: Tensor, counts: Tensor, share: float) -> Tensor:
    """Return the score that a share of all tokens lie above, a token having its cluster's."""
    if not len(scores):
        return torch.tensor(float("inf"))
    order = scores.argsort(stable=True)
    below = counts[order].cumsum(0)
    wanted = (1 - share) * float(below[-1])
    place = int(torch.searchsorted(below.double(), torch.tensor(wanted, dtype=torch.float64)))
    return scores[order[min(place, len(order) - 1)]]
