"""Triton backend: chooses and spells out the launches of a call.

By itself it takes two launches: the first has a fixed grid of workers, which share the shared part by a
schedule made on the host once per batch; the second, of one program per row and KV head, reads the row's own
tokens, writes the new ones, and then joins to them the fp32 partial results of the first, always in the order
of levels and keys. Where a slot is so long that several programs share a row's own tokens, these stand in
the first launch (`Tiling.own`). Or one launch without sharing, where the cost model finds that faster.
Lengths are read on the device, so a captured CUDA graph stays valid while they grow. With the schedule
`StreamK` workers are all there is, and own tokens stand in their line behind the shared part; with
`FixedSplits` neither tiles nor cuts follow the batch.
Limits: fp32, bf16 or fp16; head width up to 256; Q * H / G up to 128, or fewer where `cost.most_queries` says
so; compute capability 8.0 and above; all keys of shared segments are read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
import triton
from torch import Tensor

from codesample.errors import ImplUnavailableError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput
from codesample.kernels.bifurcated_decode.cost import (
    CallShape,
    OwnTokens,
    Tiling,
    choose_tiling,
    fixed_tiling,
    stream_tiling,
    with_own,
)
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import FixedSplits, StepSchedule, StreamK
from codesample.kernels.bifurcated_decode.triton_join_kernels import join_kernel, own_join_kernel
from codesample.kernels.bifurcated_decode.triton_kernels import parts_kernel, single_kernel
from codesample.kernels.bifurcated_decode.triton_launch import (
    Launch,
    features_of,
    new_tensors,
    numbers_of,
    pool_form,
    pool_tensors,
    shape_of,
)
from codesample.kernels.bifurcated_decode.triton_stream import (
    StreamWork,
    make_stream_work,
    stream_tables,
)
from codesample.kernels.bifurcated_decode.triton_stream_kernels import stream_join_kernel, stream_kernel
from codesample.kernels.bifurcated_decode.triton_support import why_not_served
from codesample.kernels.bifurcated_decode.triton_tables import (
    ChainTables,
    Division,
    RowTables,
    Work,
    chain_tables,
    make_work,
    refill,
    row_tables,
    schedule_tables,
    with_room,
)

__all__ = ["GpuKind", "Launch", "PreparedTriton"]


class GpuKind(NamedTuple):
    """What launches depend on: multiprocessors, and the compute capability times ten."""

    multiprocessors: int
    capability: int


class PreparedTriton(PreparedBatch):
    """Keeps tilings, and on the device the rows, their chains and the divided work.

    Args:
        batch, device, selection, schedule: See `PreparedBatch`.
        gpu: What to choose tilings for. Default: the device.
    """

    impl = "triton"

    def __init__(
        self,
        batch: DecodeBatch,
        device: torch.device | str,
        selection: KeySelection = ALL_KEYS,
        schedule: StepSchedule | None = None,
        *,
        gpu: GpuKind | None = None,
    ) -> None:
        super().__init__(batch, device, selection, schedule)
        if self.restricted:
            raise ImplUnavailableError(
                f"bifurcated_decode: impl='triton' reads all keys of a shared segment and cannot honour the "
                f"key selection {selection.name!r}; use impl='torch' or 'auto'"
            )
        self._gpu = gpu or _gpu(self.device)
        self._rows = RowTables(*(table.to(self.device) for table in row_tables(batch)))
        self._tilings: dict[CallShape, Tiling] = {}
        self._works: dict[Division, Work] = {}
        self._stream_works: dict[Division, StreamWork] = {}
        self._chains: ChainTables | None = None

    def check(self, call: Call) -> None:
        """See `PreparedBatch.check`."""
        super().check(call)
        reason = why_not_served(call.q, call.kv_heads, packed=call.store.packed is not None)
        if reason:
            raise ImplUnavailableError(
                f"bifurcated_decode: impl='triton' {reason}; use impl='torch' or 'auto'"
            )

    def decode(self, call: Call, tiling: Tiling | None = None) -> DecodeOutput:
        """See `PreparedBatch.decode`; `tiling` overrides the cost model's choice."""
        q = call.q
        result = DecodeOutput(
            torch.empty(q.shape, dtype=q.dtype, device=q.device),
            torch.empty(q.shape[:3], dtype=torch.float32, device=q.device),
        )
        for launch in self.launches(call, result, tiling or self.tiling(call)):
            launch.run()
        return result

    def take_over(self, batch: DecodeBatch) -> bool:
        """See `PreparedBatch.take_over`; possible where launches and the room of the tables suffice."""
        if batch.rows != self.batch.rows:
            return False
        for shape, kept in self._tilings.items():
            # how many workers get work stands in a table; everything else is in the launches
            if replace(self._choose(batch, shape), busy_workers=kept.busy_workers) != kept:
                return False
        pairs: list[tuple[Tensor, Tensor]] = list(zip(self._rows, row_tables(batch), strict=True))
        for division, work in self._works.items():
            tables, partial_rows = schedule_tables(batch, division)
            if partial_rows > work.results.part_lse.numel():
                return False
            pairs += zip(work.tables, tables, strict=True)
        for division, stream in self._stream_works.items():
            line, partial_rows = stream_tables(batch, division)
            if partial_rows > stream.results.part_lse.numel():
                return False
            pairs += zip(stream.tables, line, strict=True)
        if self._chains is not None:
            pairs += zip(self._chains, chain_tables(batch), strict=True)
        if not refill(pairs):
            return False
        self.batch = batch
        self._checked.clear()
        return True

    def tiling(self, call: Call, own: OwnTokens | None = None) -> Tiling:
        """Choose the tiling, once per shape; `own` overrides who attends to rows' own tokens."""
        _, queries, _, width = call.q.shape
        kv_heads, capacity = call.store.k_own.shape[1:3]
        shape = CallShape(
            queries,
            call.group,
            kv_heads,
            width,
            call.q.element_size(),
            capacity,
            *self._gpu,
            packed=call.store.packed is not None,
        )
        found = self._tilings.get(shape)
        if found is None:
            found = self._tilings[shape] = self._choose(self.batch, shape)
        return found if own is None else with_own(found, shape, own)

    def _choose(self, batch: DecodeBatch, shape: CallShape) -> Tiling:
        if isinstance(self.schedule, FixedSplits):
            return fixed_tiling(shape, self.schedule.keys)
        if isinstance(self.schedule, StreamK):
            return stream_tiling(batch, shape, self.schedule.workers)
        return choose_tiling(batch, shape)

    def launches(self, call: Call, result: DecodeOutput, tiling: Tiling) -> tuple[Launch, ...]:
        """Spell out the launches of a call, whatever its tensors' device; nothing runs yet."""
        if isinstance(self.schedule, StreamK):
            return self._stream_launches(call, result, tiling)
        return (self._two_launches if tiling.shared else self._one_launch)(call, result, tiling)

    def _one_launch(self, call: Call, result: DecodeOutput, tiling: Tiling) -> tuple[Launch, ...]:
        if self._chains is None:
            tables = chain_tables(self.batch)
            self._chains = ChainTables(*(with_room(table, self.device) for table in tables))
        sinks = call.scores.sinks
        # a third stage makes the two loops of this kernel spill registers
        constants = {
            **shape_of(call),
            **features_of(call, min(tiling.stages, 2)),
            "BLOCK_M": tiling.own_block_m,
            "BLOCK_N": tiling.block_n,
            "SINKS": sinks is not None,
            "FORM": pool_form(call, self._gpu.capability),
        }
        arguments = (
            *self._tensors(call),
            *self._chains,
            *result,
            result.lse if sinks is None else sinks,
            *numbers_of(call),
        )
        return (Launch(single_kernel, (len(call.q), call.kv_heads), arguments, constants, tiling.warps),)

    def _two_launches(self, call: Call, result: DecodeOutput, tiling: Tiling) -> tuple[Launch, ...]:
        rows, queries, _, width = call.q.shape
        kv_heads, per_row = call.kv_heads, queries * call.group
        division = Division(tiling, per_row, kv_heads, width)
        work = self._works.get(division)
        if work is None:
            work = self._works[division] = make_work(self.batch, division, self.device)
        tables, results = work
        splits = 0 if tiling.own == "join" else tiling.splits
        parts = Launch(
            parts_kernel,
            (tiling.workers + rows * kv_heads * splits,),
            (*self._tensors(call), tables.items, tables.worker_items, *results, *numbers_of(call)),
            {
                **shape_of(call),
                **features_of(call, tiling.stages),
                "BLOCK_M": tiling.block_m,
                "BLOCK_N": tiling.block_n,
                "OWN_BLOCK_M": tiling.own_block_m,
                "WORKERS": tiling.workers,
                "SPLITS": splits,
                "SPLIT_KEYS": tiling.split_keys,
                "FORM": pool_form(call, self._gpu.capability),
                "PDL": tiling.own == "join" and self._begins_early,
            },
            tiling.warps,
        )
        return parts, self._join_launch(call, result, tiling, work)

    def _join_launch(self, call: Call, result: DecodeOutput, tiling: Tiling, work: Work) -> Launch:
        tables, results = work
        sinks, grid = call.scores.sinks, (len(call.q), call.kv_heads)
        constants = {
            **shape_of(call),
            "FOLD": tiling.fold,
            "BLOCK_J": triton.next_power_of_2(call.q.shape[1] * call.group),
            "BLOCK_M": tiling.block_m,
            "SINKS": sinks is not None,
        }
        # sinks that are not there are still named
        last = (tables.row_entries, tables.entries, tables.partials, result.lse if sinks is None else sinks)
        if tiling.own != "join":
            constants["SPLITS"] = tiling.splits
            return Launch(join_kernel, grid, (*result, *results, *last), constants, tiling.join_warps)
        early = self._begins_early
        arguments = (
            *new_tensors(call),
            *call.store[2:],
            self._rows.slots,
            call.lens,
            *result,
            *results[:2],
            *last,
            *numbers_of(call, pool=False),
        )
        constants |= {
            # one stage less leaves room for several programs on a multiprocessor
            **features_of(call, min(tiling.stages, 2)),
            "BLOCK_N": tiling.own_block_n,
            "OWN_BLOCK_M": tiling.own_block_m,
            "PDL": early,
        }
        return Launch(own_join_kernel, grid, arguments, constants, tiling.join_warps, early)

    def _stream_launches(self, call: Call, result: DecodeOutput, tiling: Tiling) -> tuple[Launch, ...]:
        rows, queries, _, width = call.q.shape
        kv_heads, per_row, sinks = call.kv_heads, queries * call.group, call.scores.sinks
        division = Division(tiling, per_row, kv_heads, width)
        work = self._stream_works.get(division)
        if work is None:
            work = self._stream_works[division] = make_stream_work(self.batch, division, self.device)
        line, results = work
        early = self._begins_early
        constants = {
            **shape_of(call),
            "PDL": early,
            "BLOCK_M": tiling.block_m,
            "BLOCK_N": tiling.block_n,
            "BLOCK_R": triton.next_power_of_2(rows),
            "WORKERS": tiling.workers,
        }
        workers = Launch(
            stream_kernel,
            (tiling.workers,),
            (*self._tensors(call), *line[:3], *results, rows, *numbers_of(call)),
            {
                **constants,
                **features_of(call, tiling.stages),
                "OWN_BLOCK_M": tiling.own_block_m,
                "FORM": pool_form(call, self._gpu.capability),
            },
            tiling.warps,
        )
        join = Launch(
            stream_join_kernel,
            (rows, kv_heads),
            (
                *result,
                *results,
                line.row_entries,
                line.entries,
                line.output_runs,
                line.runs_by_output,
                line.run_begins,
                line.run_count,
                call.lens,
                result.lse if sinks is None else sinks,
                rows,
                call.scores.window or 0,
            ),
            {
                **constants,
                "FOLD": tiling.fold,
                "BLOCK_J": triton.next_power_of_2(per_row),
                "WRITE": call.writes,
                "WINDOW": call.scores.window is not None,
                "SINKS": sinks is not None,
            },
            tiling.join_warps,
            early,
        )
        return workers, join

    @property
    def _begins_early(self) -> bool:
        # programmatic dependent launch, which neither older GPUs nor the interpreter have
        on_gpu = self.device.type != "cpu" and self._gpu.capability >= 90
        return on_gpu and hasattr(triton.language.extra.cuda, "gdc_wait")

    def _tensors(self, call: Call) -> tuple[Tensor, ...]:
        return (*new_tensors(call), *pool_tensors(call), *call.store[2:], *self._rows, call.lens)


@cache
def _gpu(device: torch.device) -> GpuKind:
    if device.type != "cuda":
        # the interpreter has no device; a few workers there exercise every path
        return GpuKind(3, 90)
    properties = torch.cuda.get_device_properties(device)
    return GpuKind(properties.multi_processor_count, properties.major * 10 + properties.minor)
