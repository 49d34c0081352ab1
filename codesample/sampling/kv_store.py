"""Keys and values: one pool of shared tokens for all prompts, one slot of own tokens per row.

The pool is `[G, C, D]` per layer. A prompt takes one contiguous range of it, found first-fit and
given back with the prompt's last row. A row takes one slot of `[S, G, T, D]`; rows come and go by
slot number, and nothing stored is moved unless all slots grow.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import (
    GROUP,
    LayerStore,
    PackedKeys,
    PackedKind,
    PackedStore,
    whole_groups,
)
from codesample.policies.cascade import Cascade, CascadeCache
from codesample.policies.prefill.frozen_prompt import FrozenPrompt
from codesample.sampling.hosts.spread import Spread

__all__ = ["KVShape", "KVStore", "RangeAllocator", "packed_bytes", "token_bytes"]


class KVShape(NamedTuple):
    """What one layer stores per token: key heads and their width."""

    heads: int
    width: int


class RangeAllocator:
    """First-fit allocation of contiguous ranges of [0, capacity).

    Args:
        capacity: How many places there are.
        places: How many of them a range of so many tokens takes. Default: one each.
    """

    def __init__(self, capacity: int, places: Callable[[int], int] | None = None) -> None:
        self.capacity, self._places = capacity, places or (lambda tokens: tokens)
        self._free: list[tuple[int, int]] = [(0, capacity)] if capacity else []

    def take(self, length: int) -> int | None:
        """Return the start of a range of `length` tokens, or None when no gap is long enough."""
        length = self._places(length)
        for i, (start, size) in enumerate(self._free):
            if size >= length:
                self._free[i : i + 1] = [(start + length, size - length)] if size > length else []
                return start
        return None

    def give_back(self, start: int, length: int) -> None:
        """Free a range that `take` returned for `length` tokens; joins it with free neighbours."""
        self._free_up(start, self._places(length))

    def _free_up(self, start: int, length: int) -> None:
        if not length:
            return
        i = bisect.bisect(self._free, (start, 0))
        if i < len(self._free) and start + length == self._free[i][0]:
            length += self._free.pop(i)[1]
        if i and sum(self._free[i - 1]) == start:
            start, before = self._free[i - 1][0], self._free[i - 1][1]
            self._free[i - 1 : i] = []
            i, length = i - 1, length + before
        self._free.insert(i, (start, length))

    def extend(self, more: int) -> None:
        """Let `more` places follow the last one."""
        end, self.capacity = self.capacity, self.capacity + more
        self._free_up(end, more)

    @property
    def free(self) -> int:
        """How many places are free in all, in however many gaps."""
        return sum(size for _, size in self._free)


class KVStore:
    """Keys and values of every layer, and who holds which part of them.

    Args:
        shapes: Heads and width per layer.
        shared_tokens: C, tokens of the pool.
        rows: S, slots.
        row_tokens: T, own tokens per slot.
        spread: Over which processes the tokens of prompts are spread. Default: this one has all.
        packed: How shared keys and values are held in 8 bits. Default: in `dtype`.
        cascade: How many own tokens of a row are kept. Default: all.
        frozen: How many tokens of a prompt are kept. Default: all.
    Attributes:
        layers: One `LayerStore` per layer; the arrays start uninitialised.
        pool: Allocator of the shared tokens.
        packed, frozen: As given.
        own: Which own tokens are kept; None where all are.
    Raises:
        ModelError: the arrays do not fit into memory; names the size.
    """

    def __init__(
        self,
        shapes: Sequence[KVShape],
        *,
        shared_tokens: int,
        rows: int,
        row_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
        spread: Spread | None = None,
        packed: PackedKind | None = None,
        cascade: Cascade | None = None,
        frozen: FrozenPrompt | None = None,
    ) -> None:
        if packed is not None:
            shared_tokens = whole_groups(shared_tokens)
        if cascade is not None:
            row_tokens = min(row_tokens, cascade.slot_tokens)
        self.rows, self.row_tokens, self.spread = rows, row_tokens, spread
        self.frozen = frozen
        places = spread.places if spread else whole_groups if packed else frozen.held if frozen else None
        self.pool = RangeAllocator(shared_tokens, places)
        self._slots = list(range(rows))
        whole = 0 if packed else shared_tokens

        def array(*shape: int) -> torch.Tensor:
            return torch.empty(shape, dtype=dtype, device=device)

        try:
            self.layers = [
                LayerStore(
                    k_shared=array(heads, whole, width),
                    v_shared=array(heads, whole, width),
                    k_own=array(rows, heads, row_tokens, width),
                    v_own=array(rows, heads, row_tokens, width),
                )
                for heads, width in shapes
            ]
            if packed:
                for i, (heads, width) in enumerate(shapes):
                    pool = PackedKeys.empty(heads, shared_tokens, width, kind=packed, device=device)
                    self.layers[i] = PackedStore.of(self.layers[i], pool)
        except (MemoryError, RuntimeError) as error:
            size = (shared_tokens + rows * row_tokens) * token_bytes(shapes, dtype)
            raise ModelError(
                f"keys and values of {shared_tokens} shared tokens and {rows} rows x {row_tokens} tokens "
                f"take {size / 2**30:.1f} GiB, which {device} does not have; lower max_rows or max_new_tokens"
            ) from error

        self.packed = packed
        self.own = None if cascade is None else CascadeCache(cascade, self.layers)

    def grow(self, *, shared_tokens: int = 0, rows: int = 0, row_tokens: int = 0) -> None:
        """Make room for at least so much, what is held kept, one layer after another."""
        needed = whole_groups(shared_tokens) if self.packed else shared_tokens
        pool = max(0, needed - self.pool.capacity)
        slots = max(0, rows - self.rows)
        own = max(0, row_tokens - self.row_tokens)
        for i, layer in enumerate(self.layers):
            packed = layer.packed
            if pool and packed is None:
                k, v = (F.pad(held, (0, 0, 0, pool)) for held in (layer.k_shared, layer.v_shared))
                layer = layer._replace(k_shared=k, v_shared=v)
            if slots or own:
                wider = (0, 0, 0, own, 0, 0, 0, slots)
                k, v = (F.pad(held, wider) for held in (layer.k_own, layer.v_own))
                layer = layer._replace(k_own=k, v_own=v)
            if packed is not None:
                layer = PackedStore.of(layer, packed.grown(self.pool.capacity + pool))
            self.layers[i] = layer
        self.pool.extend(pool)
        self._slots += range(self.rows, self.rows + slots)
        self.rows += slots
        self.row_tokens += own

    def held(self, tokens: int) -> int:
        """Return how many tokens of a run of so many are stored here."""
        held = self.spread or self.frozen
        return tokens if held is None else held.held(tokens)

    def own_start(self, tokens: int) -> int:
        """Return the position of the first token behind a prompt of so many."""
        return tokens if self.frozen is None else self.frozen.held(tokens)

    @property
    def free_slots(self) -> int:
        """How many rows can still be taken in."""
        return len(self._slots)

    def take_slots(self, count: int) -> list[int]:
        """Take the `count` lowest free slots, rising; the caller knows that they exist."""
        taken, self._slots = self._slots[:count], self._slots[count:]
        return taken

    def idle_slots(self, count: int) -> list[int]:
        """Name `count` free slots that may be written to until the next are taken."""
        return self._slots[:count]

    def give_back_slots(self, slots: Iterable[int]) -> None:
        """Free slots; what they hold is never read again before it is written."""
        for slot in slots:
            bisect.insort(self._slots, slot)


def packed_bytes(shapes: Sequence[KVShape], kind: PackedKind) -> int:
    """Bytes that one shared token's keys and values take over all layers in 8 bits, scales included."""
    cpu = torch.device("cpu")
    each = (PackedKeys.empty(heads, GROUP, width, kind=kind, device=cpu) for heads, width in shapes)
    return round(sum(layer.token_bytes for layer in each))


def token_bytes(shapes: Sequence[KVShape], dtype: torch.dtype) -> int:
    """Bytes that one token's keys and values take over all layers."""
    return 2 * sum(heads * width for heads, width in shapes) * dtype.itemsize
