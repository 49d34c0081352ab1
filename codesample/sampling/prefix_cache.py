"""Keys and values of prompts seen before, kept across calls up to a budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.records.validation import validated
from codesample.sampling.kv_store import KVStore
from codesample.sampling.memory import is_out_of_memory

__all__ = ["CacheInfo", "PrefixCache", "common_start"]

Range = tuple[int, int]
"""(start, length) in the shared pool of a `KVStore`."""


@validated
class CacheInfo(NamedTuple):
    """What a prefix cache has done so far.

    Attributes:
        lookups: Prompts and headers looked up.
        hits: Of these, how many began with something stored.
        tokens_reused: Prompt tokens that were copied instead of computed.
        tokens_computed: Prompt tokens that had to be computed.
        bytes: Memory held now.
    """

    lookups: int
    hits: int
    tokens_reused: int
    tokens_computed: int
    bytes: int


class PrefixCache:
    """Least recently used prompts leave first. Any common start of two prompts is shared, in whole tokens.

    Args:
        budget: Bytes of keys and values to keep; 0 keeps none.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._entries: OrderedDict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = OrderedDict()
        self._lookups = self._hits = self._reused = self._computed = self._bytes = 0
        self._generation = 0

    @property
    def info(self) -> CacheInfo:
        """Counters since the cache was made."""
        return CacheInfo(self._lookups, self._hits, self._reused, self._computed, self._bytes)

    def fill(self, store: KVStore, ids: tuple[int, ...], skip: int, start: int, rerun: int = 1) -> int:
        """Copy what is known of a prompt into the pool.

        Args:
            store: Where to.
            ids: The whole prompt.
            skip: How many of its first tokens are stored elsewhere, as a header.
            start: Where token `skip` goes in the pool.
            rerun: How many of the last tokens are left to be run, at least one, for its logits.

        Returns: how many tokens from `skip` on are now stored.
        """
        self._lookups += 1
        best, length = None, skip
        for known in self._entries:
            common = common_start(known, ids)
            if common > length:
                best, length = known, common
        count = min(length, len(ids) - rerun) - skip
        if best is None or count <= 0:
            self._computed += len(ids) - skip
            return 0
        self._entries.move_to_end(best)
        for layer, (keys, values) in zip(store.layers, self._entries[best], strict=True):
            layer.k_shared[:, start : start + count] = keys[:, skip : skip + count]
            layer.v_shared[:, start : start + count] = values[:, skip : skip + count]
        self._hits += 1
        self._reused += count
        self._computed += len(ids) - skip - count
        return count

    def keep(self, store: KVStore, ids: tuple[int, ...], ranges: Sequence[Range]) -> None:
        """Remember a stored prompt.

        Args:
            store: Where it is.
            ids: The whole prompt.
            ranges: Where its tokens are in the pool, in order.

        Where memory does not suffice, nothing is kept.
        """
        if ids in self._entries:
            self._entries.move_to_end(ids)
            return
        size = sum(layer.whole_bytes(len(ids)) for layer in store.layers)
        if size > self._budget:
            return
        while self._bytes + size > self._budget:
            self._drop_oldest()
        try:
            copies = [(_copied(s.k_shared, ranges), _copied(s.v_shared, ranges)) for s in store.layers]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self.clear()
            return
        self._entries[ids] = copies
        self._bytes += size

    def follow(self, generation: int) -> None:
        """Forget what was kept under another generation of the model; see `ModelState`."""
        if generation != self._generation:
            self.clear()
            self._generation = generation

    def clear(self) -> None:
        """Forget all prompts; the counters go on."""
        self._entries.clear()
        self._bytes = 0

    def _drop_oldest(self) -> None:
        _, arrays = self._entries.popitem(last=False)
        self._bytes -= sum(t.numel() * t.element_size() for pair in arrays for t in pair)


def _copied(pool: Tensor, ranges: Sequence[Range]) -> Tensor:
    return torch.cat([pool[:, start : start + length] for start, length in ranges], dim=1)


def common_start(a: tuple[int, ...] | str, b: tuple[int, ...] | str) -> int:
    """Return the length of the common start, by bisection over slices."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
