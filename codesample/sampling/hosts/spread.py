"""How the keys of every prompt of a store are spread over processes, and how decode steps attend to them."""

from __future__ import annotations

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import LayerStore, PreparedBatch, ScoreOptions, bifurcated_decode
from codesample.policies.prefill.ring import Ring
from codesample.policies.prefill.star import Star
from codesample.sampling.hosts.host_group import HostGroup
from codesample.sampling.hosts.partial_attention import Part
from codesample.sampling.hosts.shares import Range, Shares, StarShares, ZigzagShares

__all__ = ["Spread"]

_CHUNK = 2048


class Spread:
    """A prompt's keys over the processes of a group; rows' own keys are the first one's.

    Args:
        group: The processes.
        prefill: How they run prompts. Default: each runs all tokens, and attends to the keys that it has.
    """

    def __init__(self, group: HostGroup, prefill: Ring | Star | None = None) -> None:
        self.group, self.prefill = group, prefill
        chunk = prefill.chunk if isinstance(prefill, Ring) else _CHUNK
        self.zigzag = ZigzagShares(group.size, chunk)

    def starred(self, tokens: int) -> Star | None:
        """Return the policy by which a prompt of so many tokens is run in blocks; None where it is not."""
        star = self.prefill
        return star if isinstance(star, Star) and tokens >= star.guard else None

    def ranges(self, tokens: int, rank: int | None = None) -> list[Range]:
        """Return what a process, by default this one, stores of a prompt of so many tokens."""
        star = self.starred(tokens)
        shares: Shares = self.zigzag if star is None else StarShares(self.group.size, star)
        return shares.ranges(tokens, self.group.rank if rank is None else rank)

    def held(self, tokens: int) -> int:
        """Return how many tokens of a prompt this process stores."""
        return sum(end - begin for begin, end in self.ranges(tokens))

    def places(self, tokens: int) -> int:
        """Return how many the one stores that has most; all set so many places aside."""
        return max(
            sum(end - begin for begin, end in self.ranges(tokens, rank)) for rank in range(self.group.size)
        )

    def attended(
        self,
        new: tuple[Tensor, Tensor, Tensor],
        store: LayerStore,
        prepared: PreparedBatch,
        lens: Tensor,
        scores: ScoreOptions,
    ) -> Tensor:
        """Attend rows' new tokens to their prompts' keys in all processes, and to their own in the first.

        Args:
            new: Queries [R, Q, H, D], keys and values [R, Q, G, D].
            store, prepared, lens, scores: See `bifurcated_decode`, of this process's share.

        Returns: [R, Q, H, D], dtype of the queries.
        """
        q, k, v = new
        if self.group.rank:
            none = torch.zeros_like(lens)
            # a sink joins each softmax once
            found = bifurcated_decode(q, None, None, store, prepared, none, scores._replace(sinks=None))
        else:
            found = bifurcated_decode(q, k, v, store, prepared, lens, scores)
        wide = Part(found.out.to(found.lse.dtype), found.lse.double())
        return self.group.merged(wide).out.to(q.dtype)
