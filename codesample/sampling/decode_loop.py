"""The loop on the shared path: prompts are prefilled once, rows of several prompts decode together.

Groups are taken in while slots and pool last (see `groups`); then all live rows step as one batch until one
of them ends. What a row draws depends on its own random stream and its own prompt, never on who decodes
beside it. So the prompts may be those of several calls (see `work`), which come and go while others decode.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from codesample.errors import ModelError
from codesample.kernels.bifurcated_decode import ALL_KEYS, DecodeBatch, PreparedBatch, prepare_batch
from codesample.policies.prefill.prefill_reads import PrefillReads
from codesample.policies.prefix_reads import PrefixReads
from codesample.records import Candidate
from codesample.sampling.attention_hook import wanted_by_others
from codesample.sampling.checkpoint import Checkpoint
from codesample.sampling.decode_step import DecodeStep, Forward, Unread
from codesample.sampling.groups import Group, GroupsInFlight
from codesample.sampling.kv_store import KVStore
from codesample.sampling.memory import give_back, is_out_of_memory
from codesample.sampling.mixed_sampler import MixedSampler
from codesample.sampling.model_state import ModelState
from codesample.sampling.packed_weights import multiplying
from codesample.sampling.prefill import CHUNK
from codesample.sampling.prefix_cache import PrefixCache
from codesample.sampling.prompt_storing import prompt_storing
from codesample.sampling.prompts import Prompt
from codesample.sampling.rows import Row
from codesample.sampling.step_pace import CPU_PACE, GPU_PACE, Pace
from codesample.sampling.store_making import grown_for
from codesample.sampling.token_choice import Drawn
from codesample.sampling.token_sampler import ProcessorFailed, TokenSampler
from codesample.sampling.work import Work

__all__ = ["DecodeLoop"]

_log = logging.getLogger("codesample.sampling")
# tokens per prefill pass below which running out of memory is no longer the pass's fault
_SMALLEST_CHUNK = 64


@dataclass
class _Batch:
    step: DecodeStep
    works: list[Work]
    unread: deque[Unread] = field(default_factory=deque)
    unsettled: bool = False


def _bucket(rows: int) -> int:
    """Return how many places a batch gets, so that few sizes have to be captured."""
    return 1 << (rows - 1).bit_length() if rows <= 64 else -(-rows // 64) * 64


class DecodeLoop:
    """Samples prompts over one KV store, for one call (`run`) or for several (`add`, `advance`).

    Args:
        checkpoint: With the shared path (`checkpoint.shared`).
        store: Sized by the caller: every prompt must fit into an empty pool.
        cache: Prompts of earlier calls; this loop's are added.
        prepare: Makes layouts ready for the attention; `prepare_batch` with what it is to be.
        forward, pace: Of decode steps. Default: the model's, and that of its device.
        state: Of the model. Where it tells of a change, rows in flight begin again.
        packs: Whether to multiply with the copies of weights that the state holds.
        rounds: Whether attention may round as they do; the same for all that share a cache.
        reads, prefill_reads: Which keys of stored prompts steps read, and prompts run. Default: all.
        apart: Whether each prompt is run in passes of its own.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        store: KVStore,
        cache: PrefixCache,
        *,
        prepare: Callable[..., PreparedBatch] = prepare_batch,
        forward: Forward | None = None,
        pace: Pace | None = None,
        state: ModelState | None = None,
        packs: bool = False,
        rounds: bool = False,
        reads: PrefixReads | None = None,
        prefill_reads: PrefillReads | None = None,
        apart: bool = False,
    ) -> None:
        self._checkpoint, self._store, self._cache = checkpoint, store, cache
        self._prepare, self._state, self._packs, self._rounds = prepare, state, packs, rounds
        self._device, self._forward = checkpoint.model.device, forward or checkpoint.model
        self._reads = reads
        storing = prompt_storing(
            checkpoint.model, store, reads, prefill_reads, apart=apart, shift=checkpoint.shift
        )
        self._groups = GroupsInFlight(store, cache, storing, rerun=reads.rerun if reads else 1)
        self._row_limit, self._chunk = store.rows, CHUNK
        self._generation, self._probed = (state.generation, state.probed) if state else (0, checkpoint.probed)
        self._batch: _Batch | None = None
        # calls came or went, so that the batch may have to be formed anew
        self._changed = False
        # by number of places; kept where they hold graphs that later batches can use
        self._steps: dict[int, DecodeStep] = {}
        self._pace = pace or (GPU_PACE if self._device.type == "cuda" else CPU_PACE)

    def run(self, work: Work, prompts: Sequence[Prompt]) -> Iterator[Candidate]:
        """Yield the candidates of all prompts as they finish; prompts of one header stand side by side.

        Raises:
            ModelError: a single candidate does not fit into memory, or the logits are no numbers.
        """
        self.add(work, prompts)
        while self._groups.unfinished:
            self.advance()
            finished, work.done = work.done, []
            yield from finished
        if work.error is not None:
            raise work.error

    def add(self, work: Work, prompts: Sequence[Prompt]) -> None:
        """Take in a call; its first rows begin once some are free."""
        self._groups.add(work, prompts)
        self._changed = True

    def drop(self, work: Work) -> None:
        """Forget a call; its rows are free from now on."""
        self._groups.drop(work)
        self._changed = True

    @property
    def prompts(self) -> list[Prompt]:
        """Prompts of all candidates that live or wait."""
        return self._groups.prompts

    def take_out(self) -> list[tuple[Work, list[Prompt]]]:
        """Give up everything that waits, with what was stored and drawn of it; the loop is done then."""
        self._batch = None
        self._groups.begin_again()
        return self._groups.take_outside()

    def holds_as(self, packed: str | None) -> bool:
        """Whether its prompts are held in these 8 bits, or, None, as they are."""
        return self._store.packed == packed

    @property
    def live(self) -> int:
        """How many candidates decode now."""
        return sum(row.slot >= 0 for row in self._groups.rows)

    @property
    def can_advance(self) -> bool:
        """Whether a candidate lives, or one waits that may begin."""
        return bool(self._groups.rows or self._groups.waiting)

    @torch.inference_mode()
    def advance(self, wanted: Callable[[], bool] = lambda: False) -> None:
        """Take rows in between two batches, and step until a row ends. The model is ours only in here.

        Args:
            wanted: Asked after each step whether somebody waits for this call to return. Whoever waits for
                the model gets it after a step anyhow.
        """
        self._follow()
        try:
            packed = self._state.packed if self._state and self._packs else None
            with multiplying(self._checkpoint.model, packed, rounds=self._rounds):
                self._leave_if_changed()
                if self._batch is None and self._should_admit():
                    self._admit()
                if self._batch is None and self._groups.rows:
                    self._batch = self._form_batch()
                if self._batch is not None:
                    self._decode_until_an_end(self._batch, wanted)
        except ProcessorFailed as failed:
            self._batch = None
            works = [work for work in self._groups.works if work.token_sampler.kind == failed.kind]
            self._fail(works, failed.error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._retreat(error)
        if self._state is not None:
            self._state.settle()
        self._groups.close()

    def _follow(self) -> None:
        """Draw rows in flight from the start where the model is not the one that they began with."""
        if self._state is None or self._state.renew(thorough=False) == self._generation:
            return
        self._generation = self._state.generation
        self._cache.follow(self._generation)
        if not self._state.serves(self._probed, self._checkpoint.probed, self._store.layers[0].k_shared):
            raise ModelError(
                "the model was changed so much while its candidates were drawn that they cannot be drawn on; "
                "ask for those that are missing in a new call"
            )
        if self._groups.rows:
            _log.warning("the model has changed: %d candidates begin again", len(self._groups.rows))
        self._batch = None
        self._steps.clear()
        self._groups.begin_again()

    def _fail(self, works: Sequence[Work], error: BaseException) -> None:
        for work in works:
            self._groups.drop(work)
            work.fail(error)
        self._changed = True

    def _retreat(self, error: BaseException) -> None:
        """Take live rows back and go on with half as many; what they draw again is the same."""
        if self._state is not None:
            self._state.expect_whole(error)
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
        give_back(self._device)
        _log.warning("out of memory: going on with %d rows at a time", self._row_limit)

    def _leave_if_changed(self) -> None:
        if self._changed and self._batch is not None:
            gone = any(row.slot < 0 for row in self._batch.step.rows)
            if gone or self._should_admit():
                self._leave(self._batch)
        self._changed = False

    def _should_admit(self) -> bool:
        """Take rows in by the quarter batch: each admission costs a prefill and a new batch.

        But let the first one of a call in at once.
        """
        waiting, free = self._groups.waiting, self._free_rows
        if not waiting or free <= 0:
            return False
        quarter = max(1, self._row_limit // 4)
        return free == self._row_limit or free >= min(waiting, quarter) or self._groups.has_newcomer

    @property
    def _free_rows(self) -> int:
        return self._row_limit - (self._store.rows - self._store.free_slots)

    def _admit(self) -> None:
        for group, count in self._groups.admit(self._free_rows, tokens=self._chunk):
            # a call that has failed meanwhile has none that wait
            if group.waiting:
                self._start_rows(group, count)

    def _start_rows(self, group: Group, count: int) -> None:
        """Draw the first token of `count` waiting rows from the logits that the prefill left."""
        sampler = group.work.token_sampler
        rows = sampler.begin_rows(group.prompt, [group.waiting[i] for i in range(count)])
        keys = sampler.keys(rows)
        logits = group.first_logits.expand(len(rows), -1)
        choice = sampler.draw(logits, rows, sampler.uniforms(keys, torch.zeros_like(keys)))
        self._groups.start(group, rows)
        self._account(rows, [group.work] * len(rows), choice.drawn())
        group.rows = [row for row in group.rows if row.slot >= 0]

    def _form_batch(self) -> _Batch:
        works = [group.work for group in self._groups for _ in group.rows]
        rows = self._groups.rows
        # what is drawn next may depend on tokens that the host must have read
        reads_rows = any(work.token_sampler.reads_rows for work in set(works))
        ahead = self._pace.lag > 0 and not (self._reads or self._store.own or reads_rows)
        places = min(_bucket(len(rows)), len(rows) + self._store.free_slots) if ahead else len(rows)
        batch = self._groups.batch(places - len(rows))
        if self._reads is not None:
            batch = self._reads.lay_out(batch, self._groups.ranges)
        plain = works[0].token_sampler
        if any(work.token_sampler.kind != plain.kind for work in set(works)):
            pairs = [(row, work.token_sampler) for row, work in zip(rows, works, strict=True)]
            mixed = MixedSampler(pairs, self._device)
            return _Batch(self._new_step(mixed, batch, rows, ahead=ahead), works)
        if not ahead:
            return _Batch(self._new_step(plain, batch, rows, ahead=False), works)
        step = self._steps.pop(places, None)
        if step is None or not step.refit(batch, rows, plain):
            step = self._new_step(plain, batch, rows, ahead=True)
        self._steps[places] = step
        return _Batch(step, works)

    def _new_step(
        self,
        token_sampler: TokenSampler | MixedSampler,
        batch: DecodeBatch,
        rows: Sequence[Row],
        *,
        ahead: bool,
    ) -> DecodeStep:
        return DecodeStep(
            self._forward,
            token_sampler,
            self._store.layers,
            self._prepare(batch, self._device, selection=self._reads or ALL_KEYS),
            rows,
            ahead=ahead,
            own=self._store.own,
            pool=next((other.pool for other in self._steps.values() if other.captured), None),
            uncaptured=self._state.uncaptured if self._state else None,
            spread=self._store.spread,
        )

    def _decode_until_an_end(self, batch: _Batch, wanted: Callable[[], bool]) -> None:
        """Step until a row ends, or somebody waits; leave the batch once too many have ended."""
        rows, ended = batch.step.rows, False
        lag = self._pace.lag if batch.step.ahead else 0
        while True:
            batch.unread.append(batch.step.launch(wide=batch.unsettled))
            batch.unsettled = False
            if len(batch.unread) > lag:
                drawn = batch.unread.popleft().read()
                ended = self._account(rows, batch.works, drawn)
                pairs = zip(rows, drawn, strict=True)
                batch.unsettled = any(token < 0 <= row.slot for row, (token, _) in pairs)
            if ended or wanted() or wanted_by_others(self._checkpoint.model):
                break
        gone = sum(row.slot < 0 for row in rows)
        too_many = gone == len(rows) or gone > self._pace.patience * len(rows)
        if too_many or (gone and self._groups.has_newcomer):
            self._leave(batch)

    def _leave(self, batch: _Batch) -> None:
        for unread in batch.unread:
            self._account(batch.step.rows, batch.works, unread.read())
        self._batch = None
        self._groups.close()

    def _account(self, rows: Sequence[Row], works: Sequence[Work], drawn: Sequence[Drawn]) -> bool:
        """Hand every live row its token, and free the slots of rows that it ends; return whether any did.

        Ended rows of a batch go on writing into their slots, which nobody else takes before it is left.
        """
        live = [each for each in zip(rows, works, drawn, strict=True) if each[0].slot >= 0 <= each[2][0]]
        ended = self._fail_where_nan(live)
        for row, work, (token, known) in live:
            if row.slot < 0:
                continue
            done = row.push(token, *known)
            if done is None:
                work.grow(row)
            else:
                ended = True
                self._groups.end(row)
                work.finish(done)
        for work, count in Counter(work for _, work, _ in live).items():
            work.stepped(count)
        return ended

    def _fail_where_nan(self, live: Sequence[tuple[Row, Work, Drawn]]) -> bool:
        """Let calls fail whose rows have log-probabilities that are NaN; return whether there were any."""
        if not math.isnan(sum(known[0] for _, _, (_, known) in live)):
            return False
        for work in {work for _, work, (_, known) in live if math.isnan(known[0])}:
            try:
                work.token_sampler.refuse_nan([math.nan])
            except ModelError as error:
                self._fail([work], error)
        return True

    def make_room(self, prompts: Sequence[Prompt], *, budget: int, max_rows: int) -> bool:
        """Let the store grow until it takes these prompts, too; return whether memory suffices.

        Args:
            budget: Bytes that the store may take besides what it has.
            max_rows: Most candidates decoded together.
        """
        store, all_prompts = self._store, [*self.prompts, *prompts]
        wanted = grown_for(store, self._checkpoint, all_prompts, budget=budget, max_rows=max_rows)
        if wanted is None:
            return False
        sizes = wanted.shared_tokens, wanted.rows, wanted.row_tokens
        if sizes == (store.pool.capacity, store.rows, store.row_tokens):
            return True
        if self._batch is not None:
            self._leave(self._batch)
        self._steps.clear()
        whole = self._row_limit == store.rows
        try:
            with torch.inference_mode():
                store.grow(shared_tokens=wanted.shared_tokens, rows=wanted.rows, row_tokens=wanted.row_tokens)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        if whole:
            self._row_limit = store.rows
        return True
