"""Groups in flight: prompts that are stored, their rows that decode, and where all of it lies.

A group is one prompt and its candidates. Its tokens take one range of the pool while a candidate of it lives
or waits; a row takes one slot while it lives. Take a pool of 20 shared tokens and 4 slots, and three prompts:
A has 6 tokens and 2 candidates, B 5 tokens and 3 candidates, C 4 tokens and 2 candidates.

>>> from types import SimpleNamespace
>>> import torch
>>> from codesample.sampling.kv_store import KVShape
>>> sizes = {"shared_tokens": 20, "rows": 4, "row_tokens": 9}
>>> store = KVStore([KVShape(1, 1)], **sizes, dtype=torch.float32, device=torch.device("cpu"))
>>> groups = GroupsInFlight(store, PrefixCache(0), lambda segments, _: torch.zeros(len(segments), 1))
>>> a, b = Prompt("A", (1,) * 6, (0, 1), limit=9), Prompt("B", (2,) * 5, (0, 1, 2), limit=9)
>>> groups.add([a, b, Prompt("C", (3,) * 4, (0, 1), limit=9)])
>>> def fill():
...     groups.open(rows=store.free_slots, tokens=2048)
...     for group in groups:
...         rows = [SimpleNamespace(index=i, slot=-1) for i in list(group.waiting)[: store.free_slots]]
...         groups.start(group, rows)
>>> def end(*slots):
...     for row in [row for row in groups.rows if row.slot in slots]:
...         groups.end(row)
...     groups.close()

A and B are opened, which is more than the slots hold; C stays outside. B's third candidate waits. Rows of a
group stand side by side in the batch, so that one segment serves them:

>>> fill()
>>> [(group.prompt.task_id, [row.slot for row in group.rows], list(group.waiting)) for group in groups]
[('A', [0, 1], []), ('B', [2, 3], [2])]
>>> [s[:4] for s in groups.batch().segments]
[(0, 6, 0, 2), (6, 5, 2, 4)]

A row of each ends, in slots 1 and 2. B's last candidate and C come in, the lowest slots first. No key is
moved: the batch names slots in any order.

>>> end(1, 2)
>>> fill()
>>> [(group.prompt.task_id, [row.slot for row in group.rows], list(group.waiting)) for group in groups]
[('A', [0], []), ('B', [3, 1], []), ('C', [2], [1])]
>>> groups.batch().slots
(0, 3, 1, 2)
>>> store.pool.free
5

When A's last row ends nobody needs its tokens, and its range of the pool is free for the next prompt. C's
last candidate takes the slot:

>>> end(0)
>>> store.pool.free
11
>>> fill()
>>> [(group.prompt.task_id, [row.slot for row in group.rows]) for group in groups]
[('B', [3, 1]), ('C', [2, 0])]

What several prompts start with, their header, has a range of its own and a segment over the rows of all their
groups. It goes with the last of these prompts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from torch import Tensor

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import SegmentTokens
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompts import Prompt
from codesample.sampling.rows import Row

__all__ = ["Group", "GroupsInFlight"]


@dataclass
class Group:
    """One stored prompt with its candidates.

    Attributes:
        prompt: Which.
        segment: Where its own tokens are stored.
        first_logits: [V], behind its last token: what every candidate's first token is drawn from.
        waiting: Indices of candidates that have not begun, or were taken back.
        rows: Those that live.
    """

    prompt: Prompt
    segment: SegmentTokens
    first_logits: Tensor
    waiting: deque[int]
    rows: list[Row] = field(default_factory=list)


class GroupsInFlight:
    """Decides which prompts are stored, and keeps account of pool and slots.

    Args:
        store: Where keys and values are; every prompt alone fits into its empty pool.
        cache: Prompts of earlier calls; those stored here are added.
        prefill: Stores N segments in passes of so many tokens; returns the logits behind each, [N, V].
    """

    def __init__(
        self, store: KVStore, cache: PrefixCache, prefill: Callable[[Sequence[SegmentTokens], int], Tensor]
    ) -> None:
        self._store, self._cache, self._prefill = store, cache, prefill
        self._outside: deque[Prompt] = deque()
        self._groups: list[Group] = []
        self._headers: dict[tuple[int, ...], int] = {}

    def add(self, prompts: Iterable[Prompt]) -> None:
        """Let more prompts wait outside; those of one header side by side."""
        self._outside.extend(prompts)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    @property
    def unfinished(self) -> bool:
        """Whether a candidate lives or waits."""
        return bool(self._outside or self._groups)

    @property
    def rows(self) -> list[Row]:
        """All live rows, group by group."""
        return [row for group in self._groups for row in group.rows]

    @property
    def waiting(self) -> int:
        """How many candidates wait, inside groups and outside."""
        return self._waiting_inside + sum(len(prompt.indices) for prompt in self._outside)

    @property
    def _waiting_inside(self) -> int:
        return sum(len(group.waiting) for group in self._groups)

    def open(self, *, rows: int, tokens: int) -> None:
        """Store prompts from outside until their candidates fill `rows`, or the pool or one pass is full.

        Args:
            rows: How many more may live.
            tokens: Of one forward pass.
        """
        missing = rows - self._waiting_inside
        opened: list[tuple[Prompt, SegmentTokens]] = []
        computed = 0
        try:
            while self._outside and missing > 0 and computed < tokens:
                prompt = self._outside[0]
                has_header = self._has_header(prompt.header_ids, tokens)
                start = self._store.pool.take(len(prompt.body_ids)) if has_header else None
                if start is None:
                    if opened or self._groups or not self._headers:
                        break
                    # nothing lives, yet headers of prompts outside lie scattered over the pool
                    self._drop_headers(self._headers.keys())
                    continue
                self._outside.popleft()
                filled = self._cache.fill(self._store, prompt.ids, prompt.header, start)
                opened.append((prompt, SegmentTokens(prompt.body_ids, start, self._parents(prompt), filled)))
                missing -= len(prompt.indices)
                computed += len(prompt.body_ids) - filled
            logits = self._prefill([segment for _, segment in opened], tokens) if opened else ()
        except BaseException:
            for prompt, segment in reversed(opened):
                self._outside.appendleft(prompt)
                self._store.pool.give_back(segment.start, len(segment.ids))
            raise
        for (prompt, segment), first in zip(opened, logits, strict=True):
            self._groups.append(Group(prompt, segment, first, deque(prompt.indices)))
        for prompt, segment in opened:
            ranges = [*segment.parents, (segment.start, len(segment.ids))]
            self._cache.keep(self._store, prompt.ids, ranges)

    def start(self, group: Group, rows: Sequence[Row]) -> None:
        """Give slots to rows of the group's first waiting candidates; the caller knows that they exist."""
        for row, slot in zip(rows, self._store.take_slots(len(rows)), strict=True):
            group.waiting.popleft()
            row.slot = slot
        group.rows.extend(rows)

    def end(self, row: Row) -> None:
        """Free a row's slot."""
        self._store.give_back_slots([row.slot])
        row.slot = -1

    def take_back(self) -> None:
        """Let all live rows wait again, with what they have drawn forgotten."""
        for group in self._groups:
            group.waiting.extendleft(row.index for row in reversed(group.rows))
            self._store.give_back_slots(row.slot for row in group.rows)
            group.rows = []

    def close(self) -> None:
        """Drop ended rows, and free what no row needs any more, live or waiting: prompts and headers."""
        for group in self._groups:
            group.rows = [row for row in group.rows if row.slot >= 0]
            if not group.rows and not group.waiting:
                self._store.pool.give_back(group.segment.start, len(group.segment.ids))
        self._groups = [group for group in self._groups if group.rows or group.waiting]
        needed = {p.header_ids for p in self._outside} | {g.prompt.header_ids for g in self._groups}
        self._drop_headers(self._headers.keys() - needed)

    def batch(self, empty: int = 0) -> DecodeBatch:
        """Lay out the live rows, and behind them `empty` places in idle slots that see nothing."""
        segments: list[Segment] = []
        slots: list[int] = []
        own_starts: list[int] = []
        for parents, groups in groupby(self._groups, lambda group: group.segment.parents):
            first = len(slots)
            for group in groups:
                stored, begin = group.segment, len(slots)
                slots += [row.slot for row in group.rows]
                own_starts += [len(group.prompt.ids)] * len(group.rows)
                if group.rows:
                    body = Segment(stored.start, len(stored.ids), begin, len(slots), stored.position)
                    segments.append(body)
            if len(slots) > first:
                segments += [Segment(start, length, first, len(slots), 0) for start, length in parents]
        slots += self._store.idle_slots(empty)
        own_starts += [0] * empty
        return DecodeBatch.build(segments, slots=slots, own_starts=own_starts)

    def _has_header(self, ids: tuple[int, ...], tokens: int) -> bool:
        """Store a header that is not stored yet; return whether there is room for it."""
        if not ids or ids in self._headers:
            return True
        start = self._store.pool.take(len(ids))
        if start is None:
            return False
        try:
            filled = self._cache.fill(self._store, ids, 0, start)
            self._prefill([SegmentTokens(ids, start, filled=filled)], tokens)
        except BaseException:
            self._store.pool.give_back(start, len(ids))
            raise
        self._headers[ids] = start
        self._cache.keep(self._store, ids, [(start, len(ids))])
        return True

    def _parents(self, prompt: Prompt) -> tuple[tuple[int, int], ...]:
        return ((self._headers[prompt.header_ids], prompt.header),) if prompt.header else ()

    def _drop_headers(self, which: Iterable[tuple[int, ...]]) -> None:
        for ids in list(which):
            self._store.pool.give_back(self._headers.pop(ids), len(ids))
