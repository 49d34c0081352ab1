"""What attention does in a pass over a prompt that is spread over processes: three ways, a class each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions
from codesample.sampling.hosts.host_group import HostGroup
from codesample.sampling.hosts.partial_attention import attend_partly, merged_parts
from codesample.sampling.hosts.shares import Range
from codesample.sampling.prefill_attention import attend_causally

__all__ = ["BlockState", "Kept", "RingState", "TogetherState"]

Kept = tuple[int, int, int]
"""(place in the pass, place in the pool, count) of tokens whose keys this process stores."""


@dataclass
class _State:
    """Args: layers of the store; where this process puts what it keeps of the pass."""

    layers: Sequence[LayerStore]
    kept: Sequence[Kept]
    reached: set[int] = field(default_factory=set, init=False)

    def keep(self, layer: int, k: Tensor, v: Tensor) -> LayerStore:
        """Store what is kept of k and v, each [1, G, T, D]."""
        self.reached.add(layer)
        store = self.layers[layer]
        for source, place, count in self.kept:
            store.k_shared[:, place : place + count] = k[0, :, source : source + count]
            store.v_shared[:, place : place + count] = v[0, :, source : source + count]
        return store


@dataclass
class TogetherState(_State):
    """All processes run the same tokens, each attends to the keys that it has, and the parts are merged.

    Args:
        group: The processes.
        start: Of this process's keys in the pool.
        at: Where the pass's tokens are in the prompt.
        of: Where this process's keys are in it, up to these tokens.
    """

    group: HostGroup
    start: int
    at: Range
    of: Sequence[Range]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store k and v, each [1, G, T, D], and return the attention output, [1, T, H, D]."""
        store = self.keep(layer, k, v)
        own = slice(self.start, self.start + _count(self.of))
        if self.group.rank:
            # a sink joins each softmax once
            scores = scores._replace(sinks=None)
        keys, values = store.k_shared[:, own], store.v_shared[:, own]
        part = attend_partly(q[0], [self.at], keys, values, self.of, scores)
        return self.group.merged(part).out.to(q.dtype)[None]


@dataclass
class RingState(_State):
    """Each process runs tokens of its own, and the keys of all go round, past every process's queries.

    Args:
        group: The processes.
        start: Of this process's keys in the pool.
        at: Where the pass's tokens are in the prompt.
        of: By process, where its keys are in it, up to the end of the stretch that all run now.
    """

    group: HostGroup
    start: int
    at: Sequence[Range]
    of: Sequence[Sequence[Range]]

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store k and v, each [1, G, T, D], and return the attention output, [1, T, H, D]."""
        store, group = self.keep(layer, k, v), self.group
        counts = [_count(each) for each in self.of]
        own = slice(self.start, self.start + counts[group.rank])
        visiting = torch.stack([store.k_shared[:, own], store.v_shared[:, own]])
        # all send as many
        visiting = F.pad(visiting, (0, 0, 0, max(counts) - counts[group.rank]))
        found = None
        for turn in range(group.size):
            # on their way while these are attended to
            arrival = group.passed_on(visiting) if turn + 1 < group.size else None
            whose = (group.rank - turn) % group.size
            keys, values = visiting[:, :, : counts[whose]]
            part = attend_partly(q[0], self.at, keys, values, self.of[whose], scores)
            found = part if found is None else merged_parts(found, part)
            scores = scores._replace(sinks=None)
            if arrival is not None:
                visiting = arrival()
        assert found is not None, "a group has a process"
        return found.out.to(q.dtype)[None]


@dataclass
class BlockState(_State):
    """Each process runs the anchor, and then its own blocks behind it, without a word to the others.

    Args:
        anchor: By layer the keys and values [G, a, D] of the tokens before these that are read besides `own`.
        own: [begin, end) in the pool of the keys that the pass's tokens read besides these; None while the
            anchor itself is run, whose keys are added to `anchor`.
    """

    anchor: dict[int, tuple[Tensor, Tensor]]
    own: Range | None

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store k and v, each [1, G, T, D], and return the attention output, [1, T, H, D]."""
        store = self.keep(layer, k, v)
        if self.own is None:
            near = k[0], v[0]
        else:
            pool = slice(*self.own)
            near = store.k_shared[:, pool], store.v_shared[:, pool]
        if layer in self.anchor:
            before = self.anchor[layer]
            near = torch.cat([before[0], near[0]], dim=1), torch.cat([before[1], near[1]], dim=1)
        if self.own is None:
            self.anchor[layer] = near
        return attend_causally(q[0], *near, scores)[None]


def _count(ranges: Sequence[Range]) -> int:
    return sum(end - begin for begin, end in ranges)
