"""The engine room: prompts are prefilled once, rows of several prompts decode together.

A group is one prompt and its candidates. Groups are taken in while slots and pool last; a row that
ends frees its slot, and a group's last row its context. What a row draws depends on its own random
stream and its own prompt, never on who decodes beside it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.engines.contract import Progress
from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import DecodePlan, Segment
from codesample.records import Candidate
from codesample.sampling.attention_hook import attached
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.decode_step import DecodeStep, Forward, Unread
from codesample.sampling.draws import Drawing
from codesample.sampling.kv_store import KVStore
from codesample.sampling.memory import is_out_of_memory
from codesample.sampling.packed_weights import PackedWeights
from codesample.sampling.prefill import CHUNK, Context, prefill
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.rows import Row
from codesample.sampling.work import PromptWork

__all__ = ["CPU_PACE", "GPU_PACE", "DecodeLoop", "Pace"]

_log = logging.getLogger("codesample.sampling")
# tokens per prefill pass below which running out of memory is no longer the pass's fault
_SMALLEST_CHUNK = 64


class Pace(NamedTuple):
    """How far the host lets the device run ahead.

    Attributes:
        lag: Steps in flight while the host reads the tokens of an earlier one.
        patience: Share of a batch's rows that may have ended before the batch is formed anew. Until then
            they cost their part of a step, and a new batch costs a plan and, on CUDA, a capture.
    """

    lag: int
    patience: float


CPU_PACE, GPU_PACE = Pace(0, 0.0), Pace(1, 0.25)


@dataclass
class _Batch:
    step: DecodeStep
    unread: deque[Unread] = field(default_factory=deque)
    unsettled: bool = False


@dataclass
class _Group:
    work: PromptWork
    context: Context
    first_logits: Tensor
    waiting: deque[int]
    rows: list[Row] = field(default_factory=list)


def _bucket(rows: int) -> int:
    """Return how many places a batch gets, so that few sizes have to be captured."""
    return 1 << (rows - 1).bit_length() if rows <= 64 else -(-rows // 64) * 64


class DecodeLoop:
    """Samples prompts over one KV store. Use once.

    Args:
        checkpoint: With the shared path (`checkpoint.shared`).
        drawing: How rows begin and tokens are chosen.
        store: Sized by the caller: every prompt's context must fit into an empty pool.
        cache: Prompts of earlier calls; this loop's are added.
        impl: Implementation of the attention, see `bifurcated_decode`.
        progress: See `Engine.stream`.
        forward: Of decode steps. Default: the model's.
        pace: Default: the one of the model's device.
        packed: Copies of the model's weights to multiply with. Default: the weights themselves.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        drawing: Drawing,
        store: KVStore,
        cache: PrefixCache,
        *,
        impl: str = "auto",
        progress: Progress | None = None,
        forward: Forward | None = None,
        pace: Pace | None = None,
        packed: PackedWeights | None = None,
    ) -> None:
        self._checkpoint, self._drawing = checkpoint, drawing
        self._store, self._cache = store, cache
        self._impl, self._progress, self._packed = impl, progress, packed
        self._device, self._forward = checkpoint.model.device, forward or checkpoint.model
        self._waiting: deque[PromptWork] = deque()
        self._groups: list[_Group] = []
        self._headers: dict[tuple[int, ...], int] = {}
        self._finished: list[Candidate] = []
        self._row_limit, self._chunk = store.rows, CHUNK
        self._batch: _Batch | None = None
        # by number of places; kept where they hold graphs that later batches can use
        self._steps: dict[int, DecodeStep] = {}
        self._pace = pace or (GPU_PACE if self._device.type == "cuda" else CPU_PACE)
        if drawing.reads_rows:
            # what is drawn next depends on tokens that the host must have read
            self._pace = self._pace._replace(lag=0)

    def run(self, work: Sequence[PromptWork]) -> Iterator[Candidate]:
        """Yield the candidates of all prompts as they finish; prompts of one header stand side by side."""
        self._waiting.extend(work)
        while self._waiting or self._groups:
            self._advance()
            finished, self._finished = self._finished, []
            yield from finished

    @torch.inference_mode()
    def _advance(self) -> None:
        """Take rows in between two batches, and step until a row ends. The model is ours only in here."""
        try:
            with attached(self._checkpoint.model), self._packed.used() if self._packed else nullcontext():
                if self._batch is None and self._should_admit():
                    self._admit()
                if self._batch is None and self._live:
                    self._batch = self._form_batch()
                if self._batch is not None:
                    self._decode_until_an_end(self._batch)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._retreat(error)
        self._close_groups()

    def _retreat(self, error: Exception) -> None:
        """Take live rows back and go on with half as many; what they draw again is the same."""
        if self._row_limit == 1 and self._chunk <= _SMALLEST_CHUNK:
            raise ModelError(
                f"{self._device} ran out of memory with a single candidate; lower max_new_tokens or "
                "memory_fraction, or choose a smaller model or dtype"
            ) from error
        self._batch = None
        self._steps.clear()
        self._cache.clear()
        self._row_limit = max(1, min(self._row_limit, len(self._live) or self._row_limit) // 2)
        self._chunk = max(_SMALLEST_CHUNK, self._chunk // 2)
        for group in self._groups:
            group.waiting.extendleft(row.index for row in reversed(group.rows))
            self._store.give_back_slots(row.slot for row in group.rows)
            group.rows = []
        _log.warning("out of memory: going on with %d rows at a time", self._row_limit)

    @property
    def _live(self) -> list[Row]:
        return [row for group in self._groups for row in group.rows]

    def _should_admit(self) -> bool:
        """Take rows in by the quarter batch: each admission costs a prefill and a new plan."""
        waiting = sum(len(g.waiting) for g in self._groups) + sum(len(w.indices) for w in self._waiting)
        free = self._free_rows
        quarter = max(1, self._row_limit // 4)
        return waiting > 0 and (free == self._row_limit or free >= min(waiting, quarter))

    @property
    def _free_rows(self) -> int:
        return self._row_limit - (self._store.rows - self._store.free_slots)

    def _admit(self) -> None:
        self._open_groups()
        for group in self._groups:
            count = min(len(group.waiting), self._free_rows)
            if count:
                self._start_rows(group, count)

    def _open_groups(self) -> None:
        """Prefill waiting prompts while there are slots for rows, room in the pool and room in one pass."""
        slots = self._free_rows - sum(len(g.waiting) for g in self._groups)
        opened: list[tuple[PromptWork, Context]] = []
        tokens = 0
        try:
            while self._waiting and slots > 0 and tokens < self._chunk:
                work = self._waiting[0]
                has_header = self._has_header(work.header_ids)
                start = self._store.pool.take(len(work.own_ids)) if has_header else None
                if start is None:
                    if opened or self._groups or not self._headers:
                        break
                    # nothing lives, yet headers of waiting prompts lie scattered over the pool
                    self._drop_headers(self._headers.keys())
                    continue
                self._waiting.popleft()
                filled = self._cache.fill(self._store, work.ids, work.header, start)
                opened.append((work, Context(work.own_ids, start, self._parents(work), filled)))
                slots -= len(work.indices)
                tokens += len(work.own_ids) - filled
            logits = self._prefill([context for _, context in opened]) if opened else ()
        except BaseException:
            for work, context in reversed(opened):
                self._waiting.appendleft(work)
                self._store.pool.give_back(context.start, len(context.ids))
            raise
        for (work, context), first in zip(opened, logits, strict=True):
            self._groups.append(_Group(work, context, first, deque(work.indices)))
        for work, context in opened:
            own = (context.start, len(context.ids))
            self._cache.keep(self._store, work.ids, [*context.parents, own])

    def _has_header(self, ids: tuple[int, ...]) -> bool:
        """Store a header that is not stored yet; return whether there is room for it."""
        if not ids or ids in self._headers:
            return True
        start = self._store.pool.take(len(ids))
        if start is None:
            return False
        try:
            filled = self._cache.fill(self._store, ids, 0, start)
            self._prefill([Context(ids, start, filled=filled)])
        except BaseException:
            self._store.pool.give_back(start, len(ids))
            raise
        self._headers[ids] = start
        self._cache.keep(self._store, ids, [(start, len(ids))])
        return True

    def _parents(self, work: PromptWork) -> tuple[tuple[int, int], ...]:
        return ((self._headers[work.header_ids], work.header),) if work.header else ()

    def _prefill(self, contexts: Sequence[Context]) -> Tensor:
        return prefill(self._checkpoint.model, self._store, contexts, chunk=self._chunk)

    def _start_rows(self, group: _Group, count: int) -> None:
        """Draw the first token of `count` waiting rows from the logits that the prefill left."""
        rows = self._drawing.rows(group.work, [group.waiting[i] for i in range(count)])
        keys = self._drawing.keys(rows)
        logits = group.first_logits.expand(len(rows), -1)
        choice = self._drawing.draw(logits, rows, self._drawing.numbers(keys, torch.zeros_like(keys)))
        for row, slot in zip(rows, self._store.take_slots(len(rows)), strict=True):
            group.waiting.popleft()
            row.slot = slot
        group.rows.extend(rows)
        self._account(rows, list(zip(*(t.tolist() for t in choice), strict=True)))
        group.rows = [row for row in group.rows if row.slot >= 0]

    def _form_batch(self) -> _Batch:
        rows, ahead = self._live, self._pace.lag > 0
        places = min(_bucket(len(rows)), len(rows) + self._store.free_slots) if ahead else len(rows)
        plan = self._plan(places - len(rows))
        step = self._steps.get(places)
        if step is None or not step.refit(plan, rows):
            self._steps.pop(places, None)
            step = DecodeStep(
                self._forward,
                self._drawing,
                self._store.layers,
                plan,
                rows,
                impl=self._impl,
                ahead=ahead,
                pool=next((other.pool for other in self._steps.values() if other.captured), None),
            )
        if ahead:
            self._steps[places] = step
        return _Batch(step)

    def _decode_until_an_end(self, batch: _Batch) -> None:
        """Step until a row ends; leave the batch once too many have."""
        rows = batch.step.rows
        ended = False
        while not ended:
            batch.unread.append(batch.step.launch(wide=batch.unsettled))
            batch.unsettled = False
            if len(batch.unread) > self._pace.lag:
                drawn = batch.unread.popleft().read()
                ended = self._account(rows, drawn)
                batch.unsettled = any(
                    token < 0 and row.slot >= 0 for row, (token, *_) in zip(rows, drawn, strict=True)
                )
        gone = sum(row.slot < 0 for row in rows)
        if gone == len(rows) or gone > self._pace.patience * len(rows):
            for unread in batch.unread:
                self._account(rows, unread.read())
            self._batch = None

    def _account(self, rows: Sequence[Row], drawn: Sequence[tuple[int, float, float]]) -> bool:
        """Hand every live row its token, and free the slots of rows that it ends; return whether any did.

        Ended rows of a batch go on writing into their slots, which nobody else takes before it is left.
        """
        live = [(row, choice) for row, choice in zip(rows, drawn, strict=True) if row.slot >= 0 <= choice[0]]
        self._drawing.expect_numbers(logprob for _, (_, logprob, _) in live)
        ended = False
        for row, choice in live:
            done = row.push(*choice)
            if done is not None:
                ended = True
                self._finished.append(done)
                self._store.give_back_slots([row.slot])
                row.slot = -1
        if self._progress is not None and live:
            self._progress(len(live))
        return ended

    def _plan(self, empty: int) -> DecodePlan:
        """Lay out the live rows, and behind them places in idle slots that see nothing."""
        segments: list[Segment] = []
        slots: list[int] = []
        context_lens: list[int] = []
        for parents, groups in groupby(self._groups, lambda g: g.context.parents):
            first = len(slots)
            for group in groups:
                context, begin = group.context, len(slots)
                slots += [row.slot for row in group.rows]
                context_lens += [len(group.work.ids)] * len(group.rows)
                if group.rows:
                    own = Segment(context.start, len(context.ids), begin, len(slots), context.position)
                    segments.append(own)
            if len(slots) > first:
                segments += [Segment(start, length, first, len(slots), 0) for start, length in parents]
        slots += self._store.idle_slots(empty)
        context_lens += [0] * empty
        return DecodePlan.build(segments, slots=slots, context_lens=context_lens, device=self._device)

    def _close_groups(self) -> None:
        """Drop ended rows, and free what no row needs any more, live or waiting: contexts and headers."""
        for group in self._groups:
            group.rows = [row for row in group.rows if row.slot >= 0]
            if not group.rows and not group.waiting:
                self._store.pool.give_back(group.context.start, len(group.context.ids))
        self._groups = [g for g in self._groups if g.rows or g.waiting]
        needed = {w.header_ids for w in self._waiting} | {g.work.header_ids for g in self._groups}
        self._drop_headers(self._headers.keys() - needed)

    def _drop_headers(self, which: Iterable[tuple[int, ...]]) -> None:
        for ids in list(which):
            self._store.pool.give_back(self._headers.pop(ids), len(ids))
