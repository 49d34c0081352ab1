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
>>> class Call:
...     paused = False
>>> call = Call()
>>> groups.add(call, [a, b, Prompt("C", (3,) * 4, (0, 1), limit=9)])
>>> def fill():
...     for group, count in groups.admit(store.free_slots, tokens=2048):
...         rows = [SimpleNamespace(index=i, slot=-1) for i in list(group.waiting)[:count]]
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

Another call's prompt need not wait until the first call is done: of rows that come free, each goes to the
call that has fewest. Here the first has three, so the second gets the only free slot, before C's last one:

>>> end(1)
>>> other = Call()
>>> groups.add(other, [Prompt("D", (4,) * 3, (0, 1), limit=9)])
>>> groups.add(call, [Prompt("E", (5,) * 3, (0,), limit=9)])
>>> fill()
>>> [(group.prompt.task_id, [row.slot for row in group.rows]) for group in groups]
[('B', [3]), ('C', [2, 0]), ('D', [1])]

A call that is dropped frees everything at once:

>>> groups.drop(call)
>>> [(group.prompt.task_id, [row.slot for row in group.rows]) for group in groups]
[('D', [1])]
>>> store.free_slots, store.pool.free
(3, 17)
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heapreplace
from itertools import groupby

from torch import Tensor

from codesample.kernels.bifurcated_decode import DecodeBatch, Segment
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import SegmentTokens
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompts import Prompt
from codesample.sampling.rows import Row
from codesample.sampling.work import Work

__all__ = ["Group", "GroupsInFlight"]


@dataclass
class Group:
    """One stored prompt with its candidates.

    Attributes:
        work: The call that it is of.
        prompt: Which.
        segment: Where its own tokens are stored.
        first_logits: [V], behind its last token: what every candidate's first token is drawn from.
        waiting: Indices of candidates that have not begun, or were taken back.
        rows: Those that live.
    """

    work: Work
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
        rerun: How many last tokens of a run it is given although they are known, see `PrefixCache.fill`.
    """

    def __init__(
        self,
        store: KVStore,
        cache: PrefixCache,
        prefill: Callable[[Sequence[SegmentTokens], int], Tensor],
        *,
        rerun: int = 1,
    ) -> None:
        self._store, self._cache, self._prefill, self._rerun = store, cache, prefill, rerun
        # calls that came first stand first
        self._outside: dict[Work, deque[Prompt]] = {}
        self._groups: list[Group] = []
        self._headers: dict[tuple[int, ...], int] = {}

    def add(self, work: Work, prompts: Iterable[Prompt]) -> None:
        """Let more prompts of a call wait outside; those of one header side by side."""
        self._outside.setdefault(work, deque()).extend(prompts)

    def drop(self, work: Work) -> None:
        """Forget a call: its prompts that wait, and its rows with what they hold."""
        self._outside.pop(work, None)
        for group in self._groups:
            if group.work is work:
                group.waiting.clear()
                self._end_all(group)
        self.close()

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    @property
    def works(self) -> list[Work]:
        """Calls of which a candidate lives or waits."""
        return list(dict.fromkeys([*(group.work for group in self._groups), *self._outside]))

    @property
    def prompts(self) -> list[Prompt]:
        """Prompts of all candidates that live or wait."""
        return [group.prompt for group in self._groups] + [p for each in self._outside.values() for p in each]

    @property
    def unfinished(self) -> bool:
        """Whether a candidate lives or waits."""
        return bool(self._groups) or any(self._outside.values())

    @property
    def rows(self) -> list[Row]:
        """All live rows, group by group."""
        return [row for group in self._groups for row in group.rows]

    @property
    def ranges(self) -> set[tuple[int, int]]:
        """(start, length) of all that is stored in the pool."""
        bodies = ((group.segment.start, len(group.segment.ids)) for group in self._groups)
        return {*bodies, *((start, len(ids)) for ids, start in self._headers.items())}

    @property
    def waiting(self) -> int:
        """How many candidates wait, inside groups and outside, of calls that are not paused."""
        return sum(self._waiting().values())

    @property
    def has_newcomer(self) -> bool:
        """Whether a call with waiting candidates has none that lives."""
        served = {group.work for group in self._groups if group.rows}
        return bool(self._waiting().keys() - served)

    def _waiting(self) -> dict[Work, int]:
        """Return how many candidates of each call wait, where any does, without paused calls."""
        found = {work: sum(len(p.indices) for p in prompts) for work, prompts in self._outside.items()}
        for group in self._groups:
            found[group.work] = found.get(group.work, 0) + len(group.waiting)
        return {work: count for work, count in found.items() if count and not work.paused}

    def admit(self, rows: int, *, tokens: int) -> list[tuple[Group, int]]:
        """Deal out free rows among the calls, storing prompts from outside where that takes them.

        Args:
            rows: How many more may live.
            tokens: Of one forward pass; no more prompts are stored once they fill one.

        Returns: for groups with waiting candidates, how many may start.
        """
        shares = self._shares(rows)
        self._open(shares, tokens)
        starting = []
        for group in self._groups:
            count = min(len(group.waiting), shares.get(group.work, 0))
            if count:
                shares[group.work] -= count
                starting.append((group, count))
        return starting

    def _shares(self, rows: int) -> dict[Work, int]:
        """Give each free row to the call that has fewest, the first of equal ones; in the order served."""
        waiting = self._waiting()
        live = Counter[Work]()
        for group in self._groups:
            live[group.work] += len(group.rows)
        order = list(waiting)
        shares: dict[Work, int] = {}
        heap = [(live[work], at) for at, work in enumerate(order)]
        heapify(heap)
        for _ in range(min(rows, sum(waiting.values()))):
            has, at = heap[0]
            work = order[at]
            shares[work] = shares.get(work, 0) + 1
            # one that wants no more goes behind all others
            heapreplace(heap, (has + 1 if shares[work] < waiting[work] else 1 << 62, at))
        return shares

    def _open(self, shares: Mapping[Work, int], tokens: int) -> None:
        """Store prompts until each call has as many candidates as its share, or pool or pass is full."""
        opened: list[tuple[Work, Prompt, SegmentTokens]] = []
        try:
            self._place(shares, tokens, opened)
            logits = self._prefill([segment for *_, segment in opened], tokens) if opened else ()
        except BaseException:
            for work, prompt, segment in reversed(opened):
                self._outside[work].appendleft(prompt)
                self._store.pool.give_back(segment.start, len(segment.ids))
            raise
        for (work, prompt, segment), first in zip(opened, logits, strict=True):
            self._groups.append(Group(work, prompt, segment, first, deque(prompt.indices)))
        for _, prompt, segment in opened:
            ranges = [*segment.parents, (segment.start, len(segment.ids))]
            self._cache.keep(self._store, prompt.ids, ranges)

    def _place(
        self, shares: Mapping[Work, int], tokens: int, opened: list[tuple[Work, Prompt, SegmentTokens]]
    ) -> None:
        """Find room for the prompts that `shares` take, and add them to `opened`."""
        inside = Counter[Work]()
        for group in self._groups:
            inside[group.work] += len(group.waiting)
        computed = 0
        for work, share in shares.items():
            missing, outside = share - inside[work], self._outside.get(work, ())
            while outside and missing > 0 and computed < tokens:
                prompt = outside[0]
                has_header = self._has_header(prompt.header_ids, tokens)
                start = self._store.pool.take(len(prompt.body_ids)) if has_header else None
                if start is None:
                    if self._set_aside():
                        continue
                    if opened or self._groups or not self._headers:
                        return
                    # nothing lives, yet headers of prompts outside lie scattered over the pool
                    self._drop_headers(self._headers.keys())
                    continue
                self._outside[work].popleft()
                filled = self._cache.fill(self._store, prompt.ids, prompt.header, start, self._rerun)
                segment = SegmentTokens(prompt.body_ids, start, self._parents(prompt), filled)
                opened.append((work, prompt, segment))
                missing -= len(prompt.indices)
                computed += len(prompt.body_ids) - filled

    def _set_aside(self) -> bool:
        """Free the pool of prompts whose calls are paused and have no row; return whether there were any."""
        idle = [group for group in self._groups if group.work.paused and not group.rows]
        for group in idle:
            self._put_outside(group)
        return bool(idle)

    def begin_again(self) -> None:
        """Let everything wait outside, as if nothing of its prompts had been stored."""
        self.take_back()
        for group in reversed(list(self._groups)):
            self._put_outside(group)
        self._drop_headers(self._headers.keys())

    def take_outside(self) -> list[tuple[Work, list[Prompt]]]:
        """Hand over the prompts that wait outside, by call."""
        taken, self._outside = self._outside, {}
        self.close()
        return [(work, list(prompts)) for work, prompts in taken.items()]

    def _put_outside(self, group: Group) -> None:
        rest = replace(group.prompt, indices=tuple(group.waiting))
        self._outside.setdefault(group.work, deque()).appendleft(rest)
        self._store.pool.give_back(group.segment.start, len(group.segment.ids))
        self._groups.remove(group)

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
            group.waiting.extendleft(row.index for row in reversed(group.rows) if row.slot >= 0)
            self._end_all(group)
            group.rows = []

    def _end_all(self, group: Group) -> None:
        for row in group.rows:
            if row.slot >= 0:
                self.end(row)

    def close(self) -> None:
        """Drop ended rows, and free what no row needs any more, live or waiting: prompts and headers."""
        for group in self._groups:
            group.rows = [row for row in group.rows if row.slot >= 0]
            if not group.rows and not group.waiting:
                self._store.pool.give_back(group.segment.start, len(group.segment.ids))
        self._groups = [group for group in self._groups if group.rows or group.waiting]
        self._outside = {work: prompts for work, prompts in self._outside.items() if prompts}
        needed = {prompt.header_ids for prompt in self.prompts}
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
                own_starts += [self._store.own_start(len(group.prompt.ids))] * len(group.rows)
                if group.rows:
                    held = self._store.held(len(stored.ids))
                    # of a prompt that is spread, this process's share, as if it were the end
                    at = self._store.own_start(stored.position + len(stored.ids)) - held
                    segments.append(Segment(stored.start, held, begin, len(slots), at))
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
            filled = self._cache.fill(self._store, ids, 0, start, self._rerun)
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
