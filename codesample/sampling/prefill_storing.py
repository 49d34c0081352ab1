"""Stores what a layer makes of prompt tokens, and gives what these tokens attend to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import BlockPattern, LayerStore, ScoreOptions
from codesample.policies.storage_accounting import StorageTally
from codesample.sampling.prefill_attention import attend_causally

__all__ = ["PrefillPiece", "compare_stored", "stored_keys"]

# last queries of a piece whose outputs are compared where storage is audited
_COMPARED = 16


class PrefillPiece(NamedTuple):
    """A run of one prompt's tokens inside a packed prefill.

    Attributes:
        begin, end: Where the run lies in the packed row.
        parents: (start, length) in the pool of the shared segments that come before the prompt's own.
        start: Where the prompt's own segment starts in the pool.
        filled: How many of the segment's tokens were stored by earlier calls.
        length: How many tokens the segment has in all.
    """

    begin: int
    end: int
    parents: tuple[tuple[int, int], ...]
    start: int
    filled: int
    length: int

    @property
    def upto(self) -> int:
        """How many of the segment's tokens are stored once these are."""
        return self.filled + self.end - self.begin


def stored_keys(store: LayerStore, piece: PrefillPiece, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Store a piece's keys and values [G, T, D], and return those of all tokens up to its last, [G, K, D].

    Where the pool is in 8 bits, what was stored before is as it is stored, and the piece's own as given.
    """
    store.write(piece.start + piece.filled, k, v)
    if store.packed is None:
        return _joined([store.shared(*run) for run in (*piece.parents, (piece.start, piece.upto))])
    before = [store.shared(*run) for run in (*piece.parents, (piece.start, piece.filled)) if run[1]]
    return _joined([*before, (k, v)])


def compare_stored(
    store: LayerStore,
    piece: PrefillPiece,
    q: Tensor,
    out: Tensor,
    scores: ScoreOptions,
    pattern: BlockPattern | None,
    tally: StorageTally,
) -> None:
    """Tell how far the outputs [T, H, D] of a piece's last queries [H, T, D] move over keys as stored."""
    keys, values = _joined([store.shared(*run) for run in (*piece.parents, (piece.start, piece.upto))])
    again = attend_causally(q[:, -_COMPARED:], keys, values, scores, pattern)
    tally.moved(out[-_COMPARED:], again)


def _joined(runs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    if len(runs) == 1:
        return runs[0]
    k, v = (torch.cat(parts, dim=1) for parts in zip(*runs, strict=True))
    return k, v
