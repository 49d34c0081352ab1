"""Runs a prefix policy over the stored prompts of one KV store: prepares, chooses, gathers, counts, audits.

A stored run of shared tokens is prepared when its keys are stored. Every `refresh` steps its keys are chosen
and what they hold is put side by side; the steps between read that alone. What is known of a run goes when
another is stored in its place, or when no prompt needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from codesample.errors import PolicyError
from codesample.kernels.bifurcated_decode import (
    Call,
    DecodeBatch,
    DecodeOutput,
    KeptKeys,
    LayerStore,
    Segment,
)
from codesample.policies.accounting import Account, Tally
from codesample.policies.chosen_keys import ChosenKeys, expect_choice, gathered
from codesample.policies.contract import Ask, PrefixPolicy, StoredLayer
from codesample.policies.learned_scores import Scorer
from codesample.policies.missed_mass import Unread, missed_mass, unread_of
from codesample.policies.prompt_tails import PromptTails, Tail
from codesample.policies.storage_accounting import StorageTally

__all__ = ["PrefixReads"]

Range = tuple[int, int]
"""(start, length) of a stored run in the pool."""

_WHOLE = 1 << 40


@dataclass
class _Stored:
    # by layer what the policy prepared; layers with a window have none
    states: dict[int, Any]
    # by layer and first row: one where the rows of a group share a choice
    chosen: dict[tuple[int, int], ChosenKeys] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(map(_tensor_bytes, self.states.values())) + sum(
            each.bytes for each in self.chosen.values()
        )


class _Layers(Sequence[StoredLayer]):
    """Makes each layer when it is asked for, lest a prompt in 8 bits be unpacked as a whole."""

    def __init__(self, numbers: Sequence[int], made: Callable[[int], StoredLayer]) -> None:
        self._numbers, self._made = numbers, made

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, at: Any) -> Any:
        found = self._numbers[at]
        return [self._made(each) for each in found] if isinstance(at, slice) else self._made(found)


class PrefixReads:
    """A `KeySelection` that follows a policy; one that reads all restricts nothing, and is counted alone.

    Args:
        policy: Which.
        layers: Of the store; the list itself is kept, since a store that grows puts other layers in it.
        tally: What all is added to. Default: one of its own.
        scorers: By layer, where the checkpoint scores its tokens.
        storage: What is told of runs that are stored in 8 bits.
    """

    def __init__(
        self,
        policy: PrefixPolicy,
        layers: Sequence[LayerStore],
        tally: Tally | None = None,
        scorers: Mapping[int, Scorer] = MappingProxyType({}),
        storage: StorageTally | None = None,
    ) -> None:
        self.policy, self.name, self.scorers, self._storage = policy, policy.name, scorers, storage
        self._layers, self._tally = layers, tally or Tally()
        self._reads_all = policy.reads_all
        self._stored: dict[Range, _Stored] = {}
        self._numbers: dict[int, int] = {}
        # bytes held besides the store, and the calls of each layer
        self._held = 0
        self._calls = [0] * len(layers)
        # by stored run the first row that sees it
        self._first_rows: dict[Range, int] = {}
        self._own_starts: tuple[int, ...] = ()
        self._unread: list[tuple[Segment, Unread]] = []

    @property
    def account(self) -> Account:
        """What was read and missed so far."""
        return self._tally.account

    @property
    def rerun(self) -> int:
        """How many last tokens of a run have to be run, although their keys may be known."""
        # scores are not kept with the keys of earlier calls
        return _WHOLE if self.scorers else max(1, self.policy.tail_queries)

    def tails(self, ranges: Iterable[Range]) -> PromptTails:
        """Return what is to hear the prefill that stores these ranges."""
        wanted = [start for start, length in ranges if length >= self.policy.guard and not self._reads_all]
        return PromptTails(wanted, max(1, self.policy.tail_queries), self._storage)

    def prepare(self, ranges: Iterable[Range], tails: PromptTails) -> None:
        """Take note that runs were stored, and prepare those that the policy is for."""
        began = perf_counter()
        for start, length in ranges:
            self._forget(range(start, start + length))
            if self._storage is not None and any(layer.packed for layer in self._layers):
                held = sum(layer.held_bytes(length) for layer in self._layers)
                self._storage.stored(held, sum(layer.whole_bytes(length) for layer in self._layers))
            if length < self.policy.guard:
                continue
            made = self._stored[start, length] = _Stored(self._prepared(start, length, tails.of(start)))
            self._hold(made.bytes)
            self._tally.add(prefixes=1)
        self._tally.seconds["prepare_seconds"] += perf_counter() - began

    def _prepared(self, start: int, length: int, heard: Mapping[int, Tail]) -> dict[int, Any]:
        """Return by layer what the policy prepares."""
        # the own mask of a layer with a window is short and stays what it is
        numbers = [number for number in sorted(heard) if heard[number].scores.window is None]

        def made(number: int) -> StoredLayer:
            tail = heard[number]
            keys, values = self._layers[number].shared(start, length)
            return StoredLayer(keys, values, tail.queries, tail.scores, number, tail.learned)

        states = self.policy.prepare(_Layers(numbers, made)) if numbers else []
        if len(states) != len(numbers):
            raise PolicyError(
                f"policy {self.name!r} prepared {len(states)} layers of {len(numbers)}; expected one each"
            )
        return dict(zip(numbers, states, strict=True))

    def _hold(self, change: int) -> None:
        self._held += change
        self._tally.holds(self._held)

    def _forget(self, tokens: range) -> None:
        """Forget what was known of runs that overlap these tokens of the pool."""
        for start, length in list(self._stored):
            if start < tokens.stop and tokens.start < start + length:
                self._hold(-self._stored.pop((start, length)).bytes)

    def lay_out(self, batch: DecodeBatch, ranges: Collection[Range]) -> DecodeBatch:
        """Begin a batch: every choice is due, and rows that choose by themselves get segments of their own.

        Args:
            batch: Its layout.
            ranges: All that is still stored; what was known of others is forgotten.
        """
        for each in self._stored.keys() - set(ranges):
            self._hold(-self._stored.pop(each).bytes)
        for stored in self._stored.values():
            self._hold(-sum(each.bytes for each in stored.chosen.values()))
            stored.chosen.clear()
        self._first_rows = {s[:2]: s.row_start for s in reversed(batch.segments)}
        self._own_starts = batch.own_starts
        if self.policy.pool or not any(self.restricts(s) for s in batch.segments):
            return batch
        segments: list[Segment] = []
        for s in batch.segments:
            alone = range(s.row_start, s.row_stop) if self.restricts(s) else ()
            segments += [s._replace(row_start=row, row_stop=row + 1) for row in alone] or [s]
        return DecodeBatch.build(segments, slots=batch.slots, own_starts=batch.own_starts)

    def restricts(self, segment: Segment) -> bool:
        """Whether the policy chooses among this segment's keys; see `KeySelection`."""
        return not self._reads_all and segment[:2] in self._stored

    @property
    def counts(self) -> bool:
        """Whether runs are read whole and counted; see `KeySelection`."""
        return self._reads_all and bool(self._stored)

    def select(self, segment: Segment, call: Call) -> KeptKeys | None:
        """Choose or go on with what was chosen; see `KeySelection`."""
        stored, layer = self._stored[segment[:2]], self._number(call.store)
        if layer not in stored.states or call.scores.window is not None:
            return None
        s, looks, place = segment, self._looks(layer), (layer, segment.row_start)
        chosen = stored.chosen.get(place)
        due = chosen is None or chosen.is_due(call.q[s.row_start : s.row_stop], self.policy)
        ask = self._ask(s, call, whole=looks or self.policy.reads_keys) if due or looks else None
        if chosen is None or (due and ask is not None):
            assert ask is not None
            chosen = self._choose(stored, place, ask, call.store, s)
        chosen.age += 1
        tokens = s.length * call.kv_heads
        # exact steps read a run once for all rows, also where each row chooses for itself
        once = s.row_start == self._first_rows.get(s[:2], s.row_start)
        self._tally.add(
            steps=once,
            tokens=tokens,
            tokens_kept=tokens if chosen.kept is None else chosen.tokens,
            exact_bytes=call.store.whole_bytes(s.length) if once else 0,
            read_bytes=call.store.held_bytes(s.length) if chosen.kept is None else chosen.bytes,
        )
        if looks and ask is not None:
            self._unread.append((s, unread_of(ask, chosen.choice)))
        return chosen.kept

    def _ask(self, s: Segment, call: Call, *, whole: bool) -> Ask:
        rows = slice(s.row_start, s.row_stop)
        positions = None
        if self.policy.query_free:
            first = call.lens[rows].long() if call.writes else call.lens[rows].long() - call.q.shape[1]
            first = first + torch.tensor(self._own_starts[rows], device=first.device)
            positions = first[:, None] + torch.arange(call.q.shape[1], device=first.device)
        if whole or call.store.packed is None:
            keys, values = call.store.shared(s.start, s.length)
        else:
            heads, _, width = call.store.k_shared.shape
            keys = values = call.q.new_full((), float("nan")).expand(heads, s.length, width)
        return Ask(call.q[rows], keys, values, call.scores, positions, s.position)

    def _choose(
        self, stored: _Stored, place: tuple[int, int], ask: Ask, store: LayerStore, s: Segment
    ) -> ChosenKeys:
        """Make a choice for rows of a layer, and put what it names side by side."""
        began = perf_counter()
        choice = self.policy.select(ask, stored.states[place[0]])
        if choice is not None:
            expect_choice(self.name, choice, ask)
        before, chosen = stored.chosen.get(place), gathered(choice, ask, self.policy, store, s.start)
        stored.chosen[place] = chosen
        unpacked = store.held_bytes(s.length) if store.packed is not None and self.policy.reads_keys else 0
        self._tally.add(
            refreshes=1,
            scored_bytes=unpacked + (0 if choice is None else choice.scored_bytes),
            gathered_bytes=chosen.bytes,
        )
        self._hold(chosen.bytes - (before.bytes if before else 0))
        self._tally.seconds["refresh_seconds"] += perf_counter() - began
        return chosen

    def _looks(self, layer: int) -> bool:
        """Whether this call of a layer is one whose misses are measured, whatever the age of its choices."""
        every, call = self.policy.audit, self._calls[layer]
        if not every:
            return False
        # at another place of each stretch of so many calls, lest it be always as far behind a refresh
        stretch = call // every
        return call % every == stretch * (stretch + 1) // 2 % every

    def attended(self, call: Call, output: DecodeOutput) -> None:
        """Turn what runs left out into the mass that each query missed; see `KeySelection`."""
        layer = self._number(call.store)
        self._calls[layer] += 1
        if self._reads_all and call.scores.window is None:
            self._count_whole(call)
        if not self._unread:
            return
        left_out = output.lse.new_full(output.lse.shape, float("-inf"), dtype=torch.float64)
        stood_for = left_out.clone()
        looked_at = torch.zeros(len(left_out), dtype=torch.bool, device=left_out.device)
        for s, unread in self._unread:
            rows = slice(s.row_start, s.row_stop)
            for total, part in zip((left_out, stood_for), unread, strict=True):
                total[rows] = torch.logaddexp(total[rows], part)
            looked_at[rows] = True
        self._unread.clear()
        mass = missed_mass(Unread(left_out, stood_for), output.lse)[looked_at]
        self._tally.missed(layer, mass.flatten(0, 1), layers=len(self._layers))

    def _count_whole(self, call: Call) -> None:
        for _, length in self._first_rows.keys() & self._stored.keys():
            tokens = length * call.kv_heads
            self._tally.add(
                steps=1,
                tokens=tokens,
                tokens_kept=tokens,
                exact_bytes=call.store.whole_bytes(length),
                read_bytes=call.store.held_bytes(length),
            )

    def _number(self, store: LayerStore) -> int:
        number = self._numbers.get(id(store))
        if number is None or self._layers[number] is not store:
            self._numbers = {id(each): i for i, each in enumerate(self._layers)}
            number = self._numbers[id(store)]
        return number


def _tensor_bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.nbytes
    parts = (
        state
        if isinstance(state, tuple | list)
        else vars(state).values()
        if hasattr(state, "__dict__")
        else ()
    )
    return sum(map(_tensor_bytes, parts))
