"""Which keys of a shared segment are read: a decision of its own, apart from attending to them.

"All" is the only answer shipped. A policy that reads fewer answers here, and every implementation that
honours it attends to exactly those keys; one that cannot refuses by name.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from codesample.errors import ShapeError
from codesample.kernels.bifurcated_decode.batch import Segment
from codesample.kernels.bifurcated_decode.call import Call

__all__ = ["ALL_KEYS", "AllKeys", "KeySelection", "check_selected"]


class KeySelection(Protocol):
    """Decides which keys of shared segments are read."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def restricts(self, segment: Segment) -> bool:
        """Tell whether keys of this segment may ever be left out; asked once, when a batch is prepared.

        A segment that it says no for costs what it costs without a selection.
        """
        ...

    def select(self, segment: Segment, call: Call) -> Tensor | None:
        """Choose keys for one layer and step, the same for all rows of the segment.

        Args:
            segment: One that `restricts` says yes for.
            call: The layer's queries, options and store. The queries of the segment's rows, over which
                scores are pooled, are `call.q[segment.row_start : segment.row_stop]`, [rows, Q, H, D];
                query head h reads KV head h // call.group.

        Returns: [G, N] int64 on the store's device, for each KV head the tokens to read, counted from the
            segment's first, each once; -1 fills up the list of a head that reads fewer. None: all keys.
        """
        ...


class AllKeys:
    """Reads everything."""

    name = "all"

    def restricts(self, segment: Segment) -> bool:
        """Say no."""
        return False

    def select(self, segment: Segment, call: Call) -> None:
        """Leave nothing out."""


ALL_KEYS = AllKeys()


def check_selected(selection: KeySelection, index: Tensor, call: Call) -> None:
    """Demand the form of an answer; the tokens it names are not read back from a GPU.

    Raises:
        ShapeError: it is not [G, N] int64.
    """
    if index.dim() != 2 or len(index) != call.kv_heads or index.dtype != torch.int64:
        raise ShapeError(
            f"key selection {selection.name!r} gave {list(index.shape)} {index.dtype}; "
            f"expected [{call.kv_heads}, N] torch.int64"
        )
