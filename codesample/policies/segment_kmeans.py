"""Clusters of keys by direction, within pieces of a prompt so that the work grows with its length alone."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Clusters", "cluster"]


class Clusters(NamedTuple):
    """K clusters of N keys, for each of G KV heads.

    Attributes:
        label: [G, N] int64, each key's cluster.
        sizes: [G, K] int64, keys per cluster; 0 in some.
        centre: [G, K, D], mean of the keys themselves; 0 where there are none.
    """

    label: Tensor
    sizes: Tensor
    centre: Tensor

    def means(self, values: Tensor) -> Tensor:
        """Return the mean of values [G, N, D] in each cluster, [G, K, D]; 0 where there are none."""
        return _sums(values, self.label, self.sizes.shape[1]) / self.sizes.clamp_min(1)[..., None]


def cluster(keys: Tensor, *, share: float, piece: int, rounds: int, seed: int) -> Clusters:
    """Cluster keys by k-means over directions, piece by piece.

    Args:
        keys: [G, N, D].
        share: Clusters per key; at least one per piece.
        piece: Most tokens of a piece; pieces are about equally long.
        rounds: Most iterations; it ends when no key moves.
        seed: Of the first centres. The same on every device.

    Returns: in at least float32.
    """
    wide = keys.to(torch.promote_types(keys.dtype, torch.float32))
    tokens = wide.shape[1]
    pieces = max(1, -(-tokens // piece))
    bounds = [tokens * i // pieces for i in range(pieces + 1)]
    labels, clusters = [], 0
    for number, (begin, end) in enumerate(pairwise(bounds)):
        if begin == end:
            continue
        count = max(1, round(share * (end - begin)))
        # a stream of its own, whatever the pieces before it drew
        generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        first = torch.randperm(end - begin, generator=generator)[:count].sort().values
        labels.append(_labels(F.normalize(wide[:, begin:end], dim=2), first, rounds) + clusters)
        clusters += count
    label = torch.cat(labels, dim=1) if labels else wide.new_zeros(len(wide), 0, dtype=torch.int64)
    sizes = torch.zeros(len(wide), clusters, dtype=torch.int64, device=wide.device)
    sizes.scatter_add_(1, label, torch.ones_like(label))
    return Clusters(label, sizes, _sums(wide, label, clusters) / sizes.clamp_min(1)[..., None])


def _labels(directions: Tensor, first: Tensor, rounds: int) -> Tensor:
    """Assign [G, n, D] unit vectors to the nearest of K centres, which begin as the vectors `first` [K]."""
    centres = directions[:, first.to(directions.device)]
    label = (directions @ centres.transpose(1, 2)).argmax(dim=2)
    for _ in range(rounds):
        sums = _sums(directions, label, len(first))
        # a cluster without keys keeps its old centre
        empty = (sums == 0).all(dim=2, keepdim=True)
        centres = torch.where(empty, centres, F.normalize(sums, dim=2))
        before, label = label, (directions @ centres.transpose(1, 2)).argmax(dim=2)
        if torch.equal(before, label):
            break
    return label


def _sums(values: Tensor, label: Tensor, clusters: int) -> Tensor:
    """Sum [G, N, D] values by label; repeats to the bit, which atomic additions on a GPU would not."""
    wide = values.to(torch.promote_types(values.dtype, torch.float32))
    if wide.device.type == "cpu":
        sums = wide.new_zeros(len(wide), clusters, wide.shape[2])
        return sums.scatter_add_(1, label[..., None].expand_as(wide), wide)
    return F.one_hot(label, clusters).to(wide.dtype).transpose(1, 2) @ wide
