"""Triton backend: chooses and spells out the launches of a call.

By itself it takes two launches: the first has a fixed grid of workers, which share the shared part by a
schedule made on the host once per batch, and of one program per row, KV head and split, which reads the
row's own tokens and writes the new ones; the second joins the fp32 partial results, always in the order of
levels, keys and splits. Or one launch without sharing, where the cost model finds that faster. Lengths are
read on the device, so a captured CUDA graph stays valid while they grow. With the schedule `StreamK` workers
are all there is, and own tokens stand in their line behind the shared part; with `FixedSplits` neither tiles
nor cuts follow the batch.
Limits: fp32, bf16 or fp16; head width up to 256; Q * H / G up to 128, or fewer where `cost.most_queries` says
so; compute capability 8.0 and above; all keys of shared segments are read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from codesample.errors import ImplUnavailableError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.call import Call, DecodeOutput
from codesample.kernels.bifurcated_decode.cost import (
    CallShape,
    Tiling,
    choose_tiling,
    fixed_tiling,
    stream_tiling,
)
from codesample.kernels.bifurcated_decode.prepared_batch import PreparedBatch
from codesample.kernels.bifurcated_decode.selection import ALL_KEYS, KeySelection
from codesample.kernels.bifurcated_decode.step_schedule import FixedSplits, StepSchedule, StreamK
from codesample.kernels.bifurcated_decode.triton_kernels import join_kernel, parts_kernel, single_kernel
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


class Launch(NamedTuple):
    """One kernel launch, complete: `kernel[grid](*arguments, **constants, **options)`."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    warps: int
    early: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What the compiler is told; `early` lets it begin before the launch before it has ended."""
        return {"num_warps": self.warps, **({"launch_pdl": True} if self.early else {})}

    def run(self) -> None:
        """Launch it."""
        self.kernel[self.grid](*self.arguments, **self.constants, **self.options)


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

    def tiling(self, call: Call) -> Tiling:
        """Choose the tiling, once per shape."""
        _, queries, _, width = call.q.shape
        kv_heads, capacity = call.store.k_own.shape[1:3]
        shape = CallShape(queries, call.group, kv_heads, width, call.q.element_size(), capacity, *self._gpu)
        found = self._tilings.get(shape)
        if found is None:
            found = self._tilings[shape] = self._choose(self.batch, shape)
        return found

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
            **_shape(call),
            **_features(call, min(tiling.stages, 2)),
            "BLOCK_M": tiling.own_block_m,
            "BLOCK_N": tiling.block_n,
            "SINKS": sinks is not None,
        }
        arguments = (
            *self._tensors(call),
            *self._chains,
            *result,
            result.lse if sinks is None else sinks,
            *_numbers(call),
        )
        return (Launch(single_kernel, (len(call.q), call.kv_heads), arguments, constants, tiling.warps),)

    def _two_launches(self, call: Call, result: DecodeOutput, tiling: Tiling) -> tuple[Launch, ...]:
        rows, queries, _, width = call.q.shape
        kv_heads, per_row, sinks = call.kv_heads, queries * call.group, call.scores.sinks
        division = Division(tiling, per_row, kv_heads, width)
        work = self._works.get(division)
        if work is None:
            work = self._works[division] = make_work(self.batch, division, self.device)
        tables, results = work
        shape = _shape(call)
        parts = Launch(
            parts_kernel,
            (tiling.workers + rows * kv_heads * tiling.splits,),
            (*self._tensors(call), tables.items, tables.worker_items, *results, *_numbers(call)),
            {
                **shape,
                **_features(call, tiling.stages),
                "BLOCK_M": tiling.block_m,
                "BLOCK_N": tiling.block_n,
                "OWN_BLOCK_M": tiling.own_block_m,
                "WORKERS": tiling.workers,
                "SPLITS": tiling.splits,
                "SPLIT_KEYS": tiling.split_keys,
            },
            tiling.warps,
        )
        join = Launch(
            join_kernel,
            (rows, kv_heads),
            (
                *result,
                *results,
                tables.row_entries,
                tables.entries,
                tables.partials,
                result.lse if sinks is None else sinks,
            ),
            {
                **shape,
                "SPLITS": tiling.splits,
                "FOLD": tiling.fold,
                "BLOCK_J": triton.next_power_of_2(per_row),
                "BLOCK_M": tiling.block_m,
                "SINKS": sinks is not None,
            },
            tiling.join_warps,
        )
        return parts, join

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
            **_shape(call),
            "PDL": early,
            "BLOCK_M": tiling.block_m,
            "BLOCK_N": tiling.block_n,
            "BLOCK_R": triton.next_power_of_2(rows),
            "WORKERS": tiling.workers,
        }
        workers = Launch(
            stream_kernel,
            (tiling.workers,),
            (*self._tensors(call), *line[:3], *results, rows, *_numbers(call)),
            {**constants, **_features(call, tiling.stages), "OWN_BLOCK_M": tiling.own_block_m},
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
        q, k_new, v_new = _new(call)
        return (q, k_new, v_new, *call.store, *self._rows, call.lens)


def _new(call: Call) -> tuple[Tensor, Tensor, Tensor]:
    # kernels that write nothing are still handed something to name
    q, k_new, v_new = call[:3]
    return (q, q, q) if k_new is None or v_new is None else (q, k_new, v_new)


def _numbers(call: Call) -> tuple[float, ...]:
    scores, store = call.scores, call.store
    return (
        *(stride for x in _new(call) for stride in x.stride()[:3]),
        *(stride for x in store[:2] for stride in x.stride()[:2]),
        *(stride for x in store[2:] for stride in x.stride()[:3]),
        scores.scale_for(call.q.shape[3]),
        scores.softcap or 1.0,
        scores.window or 0,
    )


def _shape(call: Call) -> dict[str, Any]:
    _, queries, _, width = call.q.shape
    # a product in 16 bits takes at least 16 columns
    padded = max(16, triton.next_power_of_2(width))
    return {"Q": queries, "P": call.group, "G": call.kv_heads, "D": width, "BLOCK_D": padded}


def _features(call: Call, stages: int) -> dict[str, Any]:
    return {
        "WRITE": call.writes,
        "WINDOW": call.scores.window is not None,
        "SOFTCAP": call.scores.softcap is not None,
        "PRECISION": "ieee" if call.q.dtype == torch.float32 else "tf32",
        "STAGES": stages,
    }


@cache
def _gpu(device: torch.device) -> GpuKind:
    if device.type != "cuda":
        # the interpreter has no device; a few workers there exercise every path
        return GpuKind(3, 90)
    properties = torch.cuda.get_device_properties(device)
    return GpuKind(properties.multi_processor_count, properties.major * 10 + properties.minor)
