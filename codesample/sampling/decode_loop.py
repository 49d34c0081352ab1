"""The engine room: prompts are prefilled once, rows of several prompts decode together.

A group is one prompt and its candidates. Groups are taken in while slots and pool last; a row that
ends leaves the batch at once and frees its slot; a group's context is freed with its last row. What
a row draws depends on its own random stream and its own prompt, never on who decodes beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode import DecodePlan, Segment
from codesample.records import Candidate, SamplingParams
from codesample.sampling.attention_hook import DecodeState, attached
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.engine import Progress
from codesample.sampling.kv_store import KVStore
from codesample.sampling.prefill import CHUNK, Context, prefill
from codesample.sampling.random_streams import row_key, uniforms
from codesample.sampling.rows import Row
from codesample.sampling.text import TextStream, decoder_of
from codesample.sampling.token_choice import Choice, choose
from codesample.sampling.work import PromptWork

__all__ = ["DecodeLoop"]


@dataclass
class _Group:
    work: PromptWork
    context: Context
    first_logits: Tensor
    waiting: deque[int]
    rows: list[Row] = field(default_factory=list)


class DecodeLoop:
    """Samples prompts over one KV store. Use once.

    Args:
        checkpoint: With the shared path (`checkpoint.shared`).
        params: How tokens are chosen.
        store: Sized by the caller: every prompt's context must fit into an empty pool.
        header: Tokens that every prompt starts with and that are stored once for all, or ().
        impl: Implementation of the attention, see `bifurcated_decode`.
        progress: See `Engine.stream`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        params: SamplingParams,
        store: KVStore,
        *,
        header: tuple[int, ...] = (),
        impl: str = "auto",
        progress: Progress | None = None,
    ) -> None:
        self._checkpoint, self._params, self._store = checkpoint, params, store
        self._header, self._impl, self._progress = header, impl, progress
        self._decode_text = decoder_of(checkpoint.tokenizer)
        self._device = checkpoint.model.device
        self._waiting: deque[PromptWork] = deque()
        self._groups: list[_Group] = []
        self._parents: tuple[tuple[int, int], ...] = ()

    def run(self, work: Sequence[PromptWork]) -> Iterator[Candidate]:
        """Yield the candidates of all prompts as they finish."""
        self._waiting.extend(work)
        while self._waiting or self._groups:
            yield from self._advance()

    @torch.inference_mode()
    def _advance(self) -> list[Candidate]:
        """Take rows in if there is room, and step until a row ends. The model is ours only in here."""
        finished = []
        with attached(self._checkpoint.model):
            if self._header and not self._parents:
                self._store_header()
            if self._should_admit():
                finished = self._admit()
            if self._live:
                finished += self._decode_until_change()
        self._close_groups()
        return finished

    @property
    def _live(self) -> list[Row]:
        return [row for group in self._groups for row in group.rows]

    def _store_header(self) -> None:
        start = self._store.pool.take(len(self._header))
        assert start is not None, "the caller sized the pool for the header"
        prefill(self._checkpoint.model, self._store, [Context(self._header, start)])
        self._parents = ((start, len(self._header)),)

    def _should_admit(self) -> bool:
        """Take rows in by the quarter batch: each admission costs a prefill and a new plan."""
        waiting = sum(len(g.waiting) for g in self._groups) + sum(len(w.indices) for w in self._waiting)
        free = self._store.free_slots
        return (
            waiting > 0
            and free > 0
            and (free == self._store.rows or free >= min(waiting, self._store.rows // 4))
        )

    def _admit(self) -> list[Candidate]:
        self._open_groups()
        finished = []
        for group in self._groups:
            count = min(len(group.waiting), self._store.free_slots)
            if count:
                finished += self._start_rows(group, [group.waiting.popleft() for _ in range(count)])
        return finished

    def _open_groups(self) -> None:
        """Prefill waiting prompts while there are slots for rows, room in the pool and room in one pass."""
        slots = self._store.free_slots - sum(len(g.waiting) for g in self._groups)
        opened: list[tuple[PromptWork, Context]] = []
        tokens = 0
        while self._waiting and slots > 0 and tokens < CHUNK:
            own = self._waiting[0].ids[len(self._header) :]
            start = self._store.pool.take(len(own))
            if start is None:
                break
            work = self._waiting.popleft()
            opened.append((work, Context(own, start, self._parents)))
            slots -= len(work.indices)
            tokens += len(own)
        if opened:
            logits = prefill(self._checkpoint.model, self._store, [context for _, context in opened])
            for (work, context), first in zip(opened, logits, strict=True):
                self._groups.append(_Group(work, context, first, deque(work.indices)))

    def _start_rows(self, group: _Group, indices: Sequence[int]) -> list[Candidate]:
        """Draw the first token of each row from the logits that the prefill left, and give it a slot."""
        work = group.work
        rows = [
            Row(
                work.task_id,
                index,
                key=row_key(self._params.seed, work.task_id, index),
                text=TextStream(self._decode_text, work.ids, self._params.stop),
                eos_ids=self._checkpoint.eos_ids,
                limit=work.limit,
            )
            for index in indices
        ]
        keys = torch.tensor([row.key for row in rows], device=self._device)
        drawn = uniforms(keys, torch.zeros_like(keys))
        choice = choose(group.first_logits.expand(len(rows), -1), drawn, self._params)
        for row, slot in zip(rows, self._store.take_slots(len(rows)), strict=True):
            row.slot = slot
        finished = self._account(rows, choice)
        group.rows.extend(row for row in rows if row.slot >= 0)
        return finished

    def _decode_until_change(self) -> list[Candidate]:
        """Step the live rows until one of them ends; the plan holds for as long."""
        rows = self._live
        plan = self._plan()
        ids = torch.tensor([[row.ids[-1]] for row in rows], device=self._device)
        drawn = torch.tensor([len(row.ids) for row in rows], device=self._device)
        contexts = torch.tensor([len(g.work.ids) for g in self._groups for _ in g.rows], device=self._device)
        keys = torch.tensor([row.key for row in rows], device=self._device)
        finished: list[Candidate] = []
        while not finished:
            lens = (drawn - 1).to(torch.int32)
            logits = self._checkpoint.model(
                input_ids=ids,
                position_ids=(contexts + drawn - 1)[:, None],
                use_cache=False,
                codesample_kv=DecodeState(self._store.layers, plan, lens, self._impl),
            ).logits[:, -1]
            choice = choose(logits, uniforms(keys, drawn), self._params)
            ids, drawn = choice.tokens[:, None], drawn + 1
            finished = self._account(rows, choice)
        return finished

    def _account(self, rows: Sequence[Row], choice: Choice) -> list[Candidate]:
        """Hand every row its token, and free the slots of rows that it ends."""
        finished = []
        for row, *drawn in zip(rows, *(t.tolist() for t in choice), strict=True):
            done = row.push(*drawn)
            if done is not None:
                finished.append(done)
                self._store.give_back_slots([row.slot])
                row.slot = -1
        if self._progress is not None:
            self._progress(len(rows))
        return finished

    def _plan(self) -> DecodePlan:
        segments: list[Segment] = []
        slots: list[int] = []
        context_lens: list[int] = []
        for group in self._groups:
            if not group.rows:
                continue
            begin = len(slots)
            slots += [row.slot for row in group.rows]
            context_lens += [len(group.work.ids)] * len(group.rows)
            context = group.context
            segments.append(Segment(context.start, len(context.ids), begin, len(slots), context.position))
        for start, length in self._parents:
            segments.insert(0, Segment(start, length, 0, len(slots), 0))
        return DecodePlan.build(segments, slots=slots, context_lens=context_lens, device=self._device)

    def _close_groups(self) -> None:
        """Drop ended rows, and free the context of every group that has none left, live or waiting."""
        for group in self._groups:
            group.rows = [row for row in group.rows if row.slot >= 0]
            if not group.rows and not group.waiting:
                self._store.pool.give_back(group.context.start, len(group.context.ids))
        self._groups = [g for g in self._groups if g.rows or g.waiting]
