"""The stream-K plan as the torch form has it: where the keys of each view are cut.

One product of PyTorch takes all KV heads of a view, so a view is one output of the plan, whatever its heads
and rows.
"""

from __future__ import annotations

from typing import NamedTuple

from codesample.kernels.bifurcated_decode.step_views import Layout
from codesample.kernels.bifurcated_decode.stream_k import Fragment, stream_plan

__all__ = ["ChunkPlan", "chunk_plan"]

_TILE = 64
_Cuts = tuple[int, ...]


class ChunkPlan(NamedTuple):
    """Keys before which a view is cut, counted from its first: per level and piece, and per block."""

    levels: tuple[tuple[_Cuts, ...], ...]
    blocks: tuple[_Cuts, ...]


def chunk_plan(layout: Layout, *, workers: int) -> ChunkPlan:
    """Divide a step's views among workers.

    What a key selection may leave keys out of is no part of the plan: how much is read there shows only when
    it is read.
    """
    shared = [0 if p.restricted is not None else p.stop - p.start for x in layout.levels for p in x.pieces]
    own = [block.stop - block.start for block in layout.blocks]
    plan = stream_plan([*shared, *own], tile=_TILE, workers=workers)
    cuts = iter([_cuts(fragments) for fragments in plan.outputs])
    return ChunkPlan(tuple(tuple(next(cuts) for _ in level.pieces) for level in layout.levels), tuple(cuts))


def _cuts(fragments: tuple[Fragment, ...]) -> _Cuts:
    return tuple(fragment.begin for fragment in fragments[1:])
