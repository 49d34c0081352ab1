"""The loop on the shared path: prompts are prefilled once, rows of several prompts decode together.

Groups are taken in while slots and pool last (see `groups`); then all live rows step as one batch until one
of them ends. What a row draws depends on its own random stream and its own prompt, never on who decodes
beside it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from codesample.engines.contract import Progress
from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import prepare_batch
from codesample.records import Candidate
from codesample.sampling.attention_hook import attached
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.decode_step import DecodeStep, Forward, Unread
from codesample.sampling.groups import Group, GroupsInFlight
from codesample.sampling.kv_store import KVStore
from codesample.sampling.memory import is_out_of_memory
from codesample.sampling.packed_weights import PackedWeights
from codesample.sampling.prefill import CHUNK, SegmentTokens, prefill
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompts import Prompt
from codesample.sampling.rows import Row
from codesample.sampling.token_choice import Drawn
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["CPU_PACE", "GPU_PACE", "DecodeLoop", "Pace"]

_log = logging.getLogger("codesample.sampling")
# tokens per prefill pass below which running out of memory is no longer the pass's fault
_SMALLEST_CHUNK = 64


class Pace(NamedTuple):
    """How far the host lets the device run ahead.

    Attributes:
        lag: Steps in flight while the host reads the tokens of an earlier one.
        patience: Share of a batch's rows that may have ended before the batch is formed anew. Until then
            they cost their part of a step, and a new batch costs a layout and, on CUDA, a capture.
    """

    lag: int
    patience: float


CPU_PACE, GPU_PACE = Pace(0, 0.0), Pace(1, 0.25)


@dataclass
class _Batch:
    step: DecodeStep
    unread: deque[Unread] = field(default_factory=deque)
    unsettled: bool = False


def _bucket(rows: int) -> int:
    """Return how many places a batch gets, so that few sizes have to be captured."""
    return 1 << (rows - 1).bit_length() if rows <= 64 else -(-rows // 64) * 64


def _prefill_on(model: PreTrainedModel, store: KVStore) -> Callable[[Sequence[SegmentTokens], int], Tensor]:
    # no method of the loop: a circle of references would keep the store until it is collected
    return lambda segments, chunk: prefill(model, store, segments, chunk=chunk)


class DecodeLoop:
    """Samples prompts over one KV store. Use once.

    Args:
        checkpoint: With the shared path (`checkpoint.shared`).
        token_sampler: How rows begin and tokens are chosen.
        store: Sized by the caller: every prompt must fit into an empty pool.
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
        token_sampler: TokenSampler,
        store: KVStore,
        cache: PrefixCache,
        *,
        impl: str = "auto",
        progress: Progress | None = None,
        forward: Forward | None = None,
        pace: Pace | None = None,
        packed: PackedWeights | None = None,
    ) -> None:
        self._checkpoint, self._token_sampler = checkpoint, token_sampler
        self._store, self._cache = store, cache
        self._impl, self._progress, self._packed = impl, progress, packed
        self._device, self._forward = checkpoint.model.device, forward or checkpoint.model
        self._groups = GroupsInFlight(store, cache, _prefill_on(checkpoint.model, store))
        self._finished: list[Candidate] = []
        self._row_limit, self._chunk = store.rows, CHUNK
        self._batch: _Batch | None = None
        # by number of places; kept where they hold graphs that later batches can use
        self._steps: dict[int, DecodeStep] = {}
        self._pace = pace or (GPU_PACE if self._device.type == "cuda" else CPU_PACE)
        if token_sampler.reads_rows:
            # what is drawn next depends on tokens that the host must have read
            self._pace = self._pace._replace(lag=0)

    def run(self, prompts: Sequence[Prompt]) -> Iterator[Candidate]:
        """Yield the candidates of all prompts as they finish; prompts of one header stand side by side."""
        self._groups.add(prompts)
        while self._groups.unfinished:
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
                if self._batch is None and self._groups.rows:
                    self._batch = self._form_batch()
                if self._batch is not None:
                    self._decode_until_an_end(self._batch)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._retreat(error)
        self._groups.close()

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
        self._row_limit = max(1, min(self._row_limit, len(self._groups.rows) or self._row_limit) // 2)
        self._chunk = max(_SMALLEST_CHUNK, self._chunk // 2)
        self._groups.take_back()
        _log.warning("out of memory: going on with %d rows at a time", self._row_limit)

    def _should_admit(self) -> bool:
        """Take rows in by the quarter batch: each admission costs a prefill and a new batch."""
        waiting, free = self._groups.waiting, self._free_rows
        quarter = max(1, self._row_limit // 4)
        return waiting > 0 and (free == self._row_limit or free >= min(waiting, quarter))

    @property
    def _free_rows(self) -> int:
        return self._row_limit - (self._store.rows - self._store.free_slots)

    def _admit(self) -> None:
        self._groups.open(rows=self._free_rows, tokens=self._chunk)
        for group in self._groups:
            count = min(len(group.waiting), self._free_rows)
            if count:
                self._start_rows(group, count)

    def _start_rows(self, group: Group, count: int) -> None:
        """Draw the first token of `count` waiting rows from the logits that the prefill left."""
        sampler = self._token_sampler
        rows = sampler.begin_rows(group.prompt, [group.waiting[i] for i in range(count)])
        keys = sampler.keys(rows)
        logits = group.first_logits.expand(len(rows), -1)
        choice = sampler.draw(logits, rows, sampler.uniforms(keys, torch.zeros_like(keys)))
        self._groups.start(group, rows)
        self._account(rows, choice.drawn())
        group.rows = [row for row in group.rows if row.slot >= 0]

    def _form_batch(self) -> _Batch:
        rows, ahead = self._groups.rows, self._pace.lag > 0
        places = min(_bucket(len(rows)), len(rows) + self._store.free_slots) if ahead else len(rows)
        batch = self._groups.batch(places - len(rows))
        step = self._steps.get(places)
        if step is None or not step.refit(batch, rows):
            self._steps.pop(places, None)
            step = DecodeStep(
                self._forward,
                self._token_sampler,
                self._store.layers,
                prepare_batch(batch, self._device, impl=self._impl),
                rows,
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
                    token < 0 and row.slot >= 0 for row, (token, _) in zip(rows, drawn, strict=True)
                )
        gone = sum(row.slot < 0 for row in rows)
        if gone == len(rows) or gone > self._pace.patience * len(rows):
            for unread in batch.unread:
                self._account(rows, unread.read())
            self._batch = None

    def _account(self, rows: Sequence[Row], drawn: Sequence[Drawn]) -> bool:
        """Hand every live row its token, and free the slots of rows that it ends; return whether any did.

        Ended rows of a batch go on writing into their slots, which nobody else takes before it is left.
        """
        live = [(row, choice) for row, choice in zip(rows, drawn, strict=True) if row.slot >= 0 <= choice[0]]
        self._token_sampler.refuse_nan(known[0] for _, (_, known) in live)
        ended = False
        for row, (token, known) in live:
            done = row.push(token, *known)
            if done is not None:
                ended = True
                self._finished.append(done)
                self._groups.end(row)
        if self._progress is not None and live:
            self._progress(len(live))
        return ended
