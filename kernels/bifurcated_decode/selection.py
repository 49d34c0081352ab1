"""Which keys of a shared segment are read: a decision of its own, apart from attending to them.

A policy that reads fewer answers here (see `codesample.policies`), and every implementation that honours it
attends to exactly those keys; one that cannot refuses by name.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from codesample.errors import ShapeError
from codesample.kernels.bifurcated_decode.batch import Segment
from codesample.kernels.bifurcated_decode.call import Call

__all__ = ["ALL_KEYS", "AllKeys", "KeptKeys", "KeySelection", "check_kept", "check_selected"]


class KeptKeys(NamedTuple):
    """Keys of a segment that were gathered beforehand, to be read in many steps.

    Attributes:
        tokens: [G, N] int64, the token of each, counted from the segment's first; -1 for what is no token.
        k, v: [G, N, D], dtype of the store.
        bias: [G, N] added to the scores, -inf where nothing is to be read; a finite one at token -1 makes a
            key that stands for several tokens, and is their number's logarithm. None: all are tokens.
        seen: [G, M, N] bool, which of the segment's M = rows * Q * H / G queries of a KV head see each, those
            of a row side by side, its query heads innermost. None: all do.
    """

    tokens: Tensor
    k: Tensor
    v: Tensor
    bias: Tensor | None = None
    seen: Tensor | None = None


class KeySelection(Protocol):
    """Decides which keys of shared segments are read.

    One that has a method `attended(call, output)` is told of every call over a batch that it restricts, and
    of every call there is where it has an attribute `counts` that is true as the batch is prepared.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def restricts(self, segment: Segment) -> bool:
        """Tell whether keys of this segment may ever be left out; asked once, when a batch is prepared.

        A segment that it says no for costs what it costs without a selection.
        """
        ...

    def select(self, segment: Segment, call: Call) -> Tensor | KeptKeys | None:
        """Choose keys for one layer and step, the same for all rows of the segment.

        Args:
            segment: One that `restricts` says yes for.
            call: The layer's queries, options and store. The queries of the segment's rows, over which
                scores are pooled, are `call.q[segment.row_start : segment.row_stop]`, [rows, Q, H, D];
                query head h reads KV head h // call.group.

        Returns: [G, N] int64 on the store's device, for each KV head the tokens to read, counted from the
            segment's first, each once; -1 fills up the list of a head that reads fewer. Or what these tokens
            hold, gathered already. None: all keys.
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


def check_kept(selection: KeySelection, kept: KeptKeys, s: Segment, call: Call) -> None:
    """Demand that gathered keys are of the segment and the call's layer and fit one another.

    Raises:
        ShapeError: they are not, or do not.
    """
    check_selected(selection, kept.tokens, call)
    store, shape = call.store.k_shared, (*kept.tokens.shape, call.q.shape[3])
    fits = all(x.shape == shape and x.dtype == store.dtype and x.device == store.device for x in kept[1:3])
    fits = fits and (kept.bias is None or kept.bias.shape == kept.tokens.shape)
    if kept.seen is not None:
        heads, tokens = kept.tokens.shape
        fits = fits and kept.seen.dim() == 3 and kept.seen.shape[::2] == (heads, tokens)
        fits = fits and call.q.shape[1] * call.group * (s.row_stop - s.row_start) == kept.seen.shape[1]
    if not fits:
        found = ", ".join(f"{list(x.shape)} {x.dtype}" for x in kept if x is not None)
        raise ShapeError(
            f"key selection {selection.name!r} gave {found}; expected tokens [G, N], k and v {list(shape)} "
            f"{store.dtype}, bias [G, N] or none, and seen [G, queries of the segment, N] or none"
        )
