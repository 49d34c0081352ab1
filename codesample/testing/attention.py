"""Inputs, oracle and tolerance for tests of shared-prefix decode attention.

Memory that an implementation has no business reading is filled with NaN: the pool between segments, the
slots of nobody, and every slot past its row's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from codesample.kernels.bifurcated_decode import (
    ALL_KEYS,
    GROUP,
    DecodeBatch,
    DecodeOutput,
    KeySelection,
    LayerStore,
    PackedKeys,
    PackedKind,
    PackedStore,
    ScoreOptions,
    Segment,
    StepSchedule,
    bifurcated_decode,
    prepare_batch,
    whole_groups,
)
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding

__all__ = [
    "DecodeCase",
    "DecodeInputs",
    "assert_within_rounding",
    "joined_attention",
    "make_decode_inputs",
    "pack_inputs",
    "unpacked",
]

_POOL_GAP = 3


@dataclass(frozen=True)
class DecodeCase:
    """Shape and options of one call, small enough to read in a test's name.

    Attributes:
        groups: (rows, shared tokens) of each prompt.
        lens: Own tokens stored per row before the call.
        header: Shared tokens before every prompt, seen by all rows; 0 for none.
        heads: (H, G), query and KV heads.
        width: D.
        queries: Q.
        slots: Slot of each row; default: row r has slot r.
        capacity: T, tokens per slot; default: just enough.
        write: Whether the call itself writes the new keys and values.
        window, softcap: As in `ScoreOptions`.
        sinks: Whether each head has a sink logit.
        spread: Standard deviation of the queries; 40 gives scores of about +-200 at D = 64.
    """

    groups: tuple[tuple[int, int], ...]
    lens: tuple[int, ...]
    header: int = 0
    heads: tuple[int, int] = (2, 2)
    width: int = 16
    queries: int = 1
    slots: tuple[int, ...] | None = None
    capacity: int | None = None
    write: bool = True
    window: int | None = None
    softcap: float | None = None
    sinks: bool = False
    spread: float = 1.0

    def __str__(self) -> str:
        """Name only what differs from the default, for use as a test id."""
        shown = [
            f"{key}={value}" for key, value in vars(self).items() if value != getattr(DecodeCase, key, None)
        ]
        return " ".join(shown).replace(" ", "-").replace("(", "").replace(")", "").replace(",", ".")

    @property
    def rows(self) -> int:
        """R."""
        return sum(rows for rows, _ in self.groups)


class DecodeInputs(NamedTuple):
    """Arguments of one call; `run` makes it on a private copy of the store."""

    q: torch.Tensor
    k_new: torch.Tensor | None
    v_new: torch.Tensor | None
    store: LayerStore
    batch: DecodeBatch
    lens: torch.Tensor
    scores: ScoreOptions

    def to(self, dtype: torch.dtype) -> DecodeInputs:
        """Convert every value to `dtype`; widening changes none."""
        q, k_new, v_new = (None if x is None else x.to(dtype) for x in self[:3])
        assert q is not None
        return self._replace(
            q=q, k_new=k_new, v_new=v_new, store=LayerStore(*(x.to(dtype) for x in self.store))
        )

    def only(self, rows: Sequence[int]) -> DecodeInputs:
        """Leave some rows in the batch, in this order; those of one segment must stand together."""
        segments = []
        for s in self.batch.segments:
            mine = [i for i, row in enumerate(rows) if s.row_start <= row < s.row_stop]
            if mine:
                segments.append(s._replace(row_start=mine[0], row_stop=mine[-1] + 1))
        batch = DecodeBatch.build(
            segments,
            slots=[self.batch.slots[r] for r in rows],
            own_starts=[self.batch.own_starts[r] for r in rows],
        )
        at = list(rows)
        k_new, v_new = (None if x is None else x[at] for x in (self.k_new, self.v_new))
        return self._replace(q=self.q[at], k_new=k_new, v_new=v_new, lens=self.lens[at], batch=batch)

    def run(
        self, impl: str, selection: KeySelection = ALL_KEYS, schedule: StepSchedule | None = None
    ) -> DecodeOutput:
        """Call the operation and leave these inputs as they were."""
        store = LayerStore(*(x.clone() for x in self.store))
        if self.store.packed is not None:
            store = PackedStore.of(store, self.store.packed)
        prepared = prepare_batch(self.batch, self.q.device, impl=impl, selection=selection, schedule=schedule)
        return bifurcated_decode(*self[:3], store, prepared, self.lens, self.scores)


def make_decode_inputs(
    case: DecodeCase, *, dtype: torch.dtype, device: torch.device | str = "cpu", seed: int = 0
) -> DecodeInputs:
    """Draw the inputs of `case` in `dtype`; q and the new keys are strided views, as a model passes them."""
    generator = torch.Generator().manual_seed(seed)
    (heads, kv_heads), rows, width = case.heads, case.rows, case.width
    slots = case.slots or tuple(range(rows))
    segments, own_starts = _place(case)
    pool = max((s.start + s.length for s in segments), default=0) + _POOL_GAP
    capacity = case.capacity or max(case.lens) + case.queries

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    shared, own = (kv_heads, pool, width), (max(slots) + 2, kv_heads, capacity, width)
    store = LayerStore(*(torch.full(shape, float("nan")) for shape in (shared, shared, own, own)))
    for s in segments:
        for tensor in store[:2]:
            tensor[:, s.start : s.start + s.length] = draw(kv_heads, s.length, width)
    for slot, length in zip(slots, case.lens, strict=True):
        for tensor in store[2:]:
            tensor[slot, :, :length] = draw(kv_heads, length, width)
    views = [draw(rows, n, case.queries, width).transpose(1, 2) for n in (heads, kv_heads, kv_heads)]
    views[0] *= case.spread
    q, k_new, v_new = (x.to(device, dtype) for x in views)
    sinks = draw(heads).to(device) if case.sinks else None
    return DecodeInputs(
        q,
        k_new if case.write else None,
        v_new if case.write else None,
        LayerStore(*(x.to(device, dtype) for x in store)),
        DecodeBatch.build(segments, slots=slots, own_starts=own_starts),
        torch.tensor(case.lens, dtype=torch.int32, device=device),
        ScoreOptions(window=case.window, softcap=case.softcap, sinks=sinks),
    )


def _place(case: DecodeCase) -> tuple[list[Segment], list[int]]:
    segments, own_starts = [], []
    start = row = 0
    if case.header:
        segments.append(Segment(0, case.header, 0, case.rows, 0))
        start = case.header + _POOL_GAP
    for rows, tokens in case.groups:
        segments.append(Segment(start, tokens, row, row + rows, case.header))
        own_starts += [case.header + tokens] * rows
        start, row = start + tokens + _POOL_GAP, row + rows
    return segments, own_starts


def pack_inputs(x: DecodeInputs, kind: PackedKind) -> DecodeInputs:
    """Hold the shared keys in 8 bits, every run from a group of its own; `unpacked` is the way back.

    Bytes and scales that nothing may read are NaN, where their dtype has one.
    """
    heads, _, width = x.store.k_shared.shape
    starts, room = [], 0
    for s in x.batch.segments:
        starts.append(room)
        room += whole_groups(s.length) + GROUP
    pool = PackedKeys.empty(heads, max(room, GROUP), width, kind=kind, device=x.q.device)
    for part in pool:
        part.view(torch.uint8).fill_(0xFF)
    segments = []
    for s, start in zip(x.batch.segments, starts, strict=True):
        if s.length:
            run = slice(s.start, s.start + s.length)
            pool.write(start, x.store.k_shared[:, run], x.store.v_shared[:, run])
            for part in pool[:2]:
                part.view(torch.uint8)[:, start + s.length : start + whole_groups(s.length)] = 0xFF
        segments.append(s._replace(start=start))
    batch = DecodeBatch.build(segments, slots=x.batch.slots, own_starts=x.batch.own_starts)
    nothing = x.store.k_shared[:, :0]
    store = PackedStore.of(LayerStore(nothing, nothing, *x.store[2:]), pool)
    return x._replace(batch=batch, store=store)


def unpacked(x: DecodeInputs, dtype: torch.dtype) -> DecodeInputs:
    """Return what `pack_inputs` gave with the keys that the pool holds, all in `dtype`."""
    assert x.store.packed is not None
    whole = x.to(dtype)
    shared = x.store.packed.read(0, x.store.packed.tokens, dtype)
    return whole._replace(store=LayerStore(*shared, *whole.store[2:]))


def joined_attention(inputs: DecodeInputs) -> DecodeOutput:
    """Attend over joined keys in the dtype of `inputs`; the oracle, given `inputs.to(torch.float64)`."""
    return inputs.run("reference")


def assert_within_rounding(got: torch.Tensor, exact: torch.Tensor, plain: torch.Tensor) -> None:
    """Demand that `got` errs at most twice as much as plain code of its dtype, plus one rounding.

    Args:
        got: Under test.
        exact: The same in fp64 from the same, widened inputs.
        plain: The same from plain code in the dtype of the inputs.

    Raises:
        AssertionError: an error above that, or an infinity or NaN where `exact` has another value.
    """
    wrong = beyond_rounding(got, exact, plain)
    assert wrong is None, wrong
