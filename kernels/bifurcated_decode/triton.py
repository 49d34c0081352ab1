"""Triton backend: chooses and spells out the launches of a call.

Two launches: the first has a fixed grid of workers, which share the context by a schedule made on the host
once per set of live rows, and of one program per row, KV head and split, which reads the row's own tokens
and writes the new ones; the second joins the fp32 partial results, always in the order of levels, keys and
splits. Or one launch without sharing, where the cost model finds that faster. Lengths are read on the
device, so a captured CUDA graph stays valid while they grow.
Limits: fp32, bf16 or fp16; head width up to 256; Q * H / G up to 128, or fewer where `cost.most_queries` says
so; compute capability 8.0 and above.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import torch
import triton

from codesample.kernels.bifurcated_decode.api import DecodeOutput, LayerStore
from codesample.kernels.bifurcated_decode.batch import DecodePlan
from codesample.kernels.bifurcated_decode.cost import CallShape, Tiling, choose_tiling
from codesample.kernels.bifurcated_decode.schedule import Schedule, divide_context
from codesample.kernels.bifurcated_decode.triton_kernels import (
    ITEM_FIELDS,
    join_kernel,
    parts_kernel,
    single_kernel,
)

__all__ = ["Launch", "decode", "launches", "take_over", "tiling_for"]


class _Work(NamedTuple):
    # the schedule on the device, and room for the partial results of one layer; all with room to spare
    items: torch.Tensor
    worker_items: torch.Tensor
    partials: torch.Tensor
    row_entries: torch.Tensor
    entries: torch.Tensor
    part_out: torch.Tensor
    part_lse: torch.Tensor
    own_out: torch.Tensor
    own_lse: torch.Tensor


class Launch(NamedTuple):
    """One kernel launch, complete: `kernel[grid](*arguments, **constants, num_warps=warps)`."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    warps: int


def decode(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
    tiling: Tiling | None = None,
) -> DecodeOutput:
    """Do what `bifurcated_decode` states; `tiling` overrides the cost model's choice."""
    if tiling is None:
        tiling = tiling_for(q, store, plan, *_gpu(q.device))
    result = DecodeOutput(
        torch.empty(q.shape, dtype=q.dtype, device=q.device),
        torch.empty(q.shape[:3], dtype=torch.float32, device=q.device),
    )
    for kernel, grid, arguments, constants, warps in launches(
        q,
        k_new,
        v_new,
        store,
        plan,
        lens,
        result,
        tiling,
        scale=scale,
        window=window,
        softcap=softcap,
        sinks=sinks,
    ):
        kernel[grid](*arguments, **constants, num_warps=warps)
    return result


def tiling_for(
    q: torch.Tensor, store: LayerStore, plan: DecodePlan, multiprocessors: int, capability: int
) -> Tiling:
    """Choose the tiling, once per plan and shape, for a GPU of compute capability `capability` / 10."""
    _, queries, heads, width = q.shape
    kv_heads, capacity = store.k_decode.shape[1:3]
    group, size = heads // kv_heads, q.element_size()
    shape = CallShape(queries, group, kv_heads, width, size, capacity, multiprocessors, capability)
    return plan.memo(("tiling", shape), lambda: choose_tiling(plan, shape))


def launches(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    result: DecodeOutput,
    tiling: Tiling,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> tuple[Launch, ...]:
    """Spell out the launches of a call, whatever its tensors' device; nothing runs yet."""
    rows, queries, heads, width = q.shape
    kv_heads = store.k_shared.shape[0]
    group = heads // kv_heads
    k_new, v_new = (q, q) if k_new is None or v_new is None else (k_new, v_new)
    written = k_new is not q
    tensors = (q, k_new, v_new, *store, plan.slots_on_device, plan.context_lens_on_device, lens)
    numbers = (
        *(stride for x in (q, k_new, v_new) for stride in x.stride()[:3]),
        *(stride for x in store[:2] for stride in x.stride()[:2]),
        *(stride for x in store[2:] for stride in x.stride()[:3]),
        scale,
        softcap or 1.0,
        window or 0,
    )
    sink = result.lse if sinks is None else sinks
    # a product in 16 bits takes at least 16 columns
    padded = max(16, triton.next_power_of_2(width))
    shape = {"Q": queries, "P": group, "G": kv_heads, "D": width, "BLOCK_D": padded}
    features = {
        "WRITE": written,
        "WINDOW": window is not None,
        "SOFTCAP": softcap is not None,
        "PRECISION": "ieee" if q.dtype == torch.float32 else "tf32",
        "STAGES": tiling.stages,
    }
    tiles = {"BLOCK_M": tiling.block_m, "BLOCK_N": tiling.block_n}
    if not tiling.shared:
        chain = plan.memo("chain", lambda: _chain(plan))
        # a third stage makes the two loops of this kernel spill registers
        constants = {**shape, **tiles, **features, "SINKS": sinks is not None}
        constants |= {"BLOCK_M": tiling.own_block_m, "STAGES": min(tiling.stages, 2)}
        return (
            Launch(
                single_kernel,
                (rows, kv_heads),
                (*tensors, *chain, *result, sink, *numbers),
                constants,
                tiling.warps,
            ),
        )
    work = plan.memo(
        ("work", tiling, queries * group, kv_heads, width),
        lambda: _prepare(plan, tiling, queries * group, kv_heads, width),
    )
    rooms = (work.part_out, work.part_lse, work.own_out, work.own_lse)
    splits = {"SPLITS": tiling.splits}
    grid = {"OWN_BLOCK_M": tiling.own_block_m, "WORKERS": tiling.workers}
    parts = Launch(
        parts_kernel,
        (tiling.workers + rows * kv_heads * tiling.splits,),
        (*tensors, work.items, work.worker_items, *rooms, *numbers),
        {**shape, **tiles, **grid, **splits, **features},
        tiling.warps,
    )
    join = Launch(
        join_kernel,
        (rows, kv_heads),
        (*result, *rooms, work.row_entries, work.entries, work.partials, sink),
        {
            **shape,
            **splits,
            "BLOCK_J": triton.next_power_of_2(queries * group),
            "BLOCK_M": tiling.block_m,
            "SINKS": sinks is not None,
        },
        tiling.join_warps,
    )
    return parts, join


def take_over(old: DecodePlan, new: DecodePlan) -> DecodePlan | None:
    """Do what `api.take_over` states."""
    kept = [key for key in old.memos() if key == "chain" or isinstance(key, tuple)]
    filled: list[tuple[torch.Tensor, torch.Tensor]] = []
    for key in kept:
        value = old.memos()[key]
        match key:
            case ("tiling", shape):
                wanted = choose_tiling(new, shape)
                if replace(wanted, busy_workers=value.busy_workers) != value:
                    return None
            case ("work", tiling, *sizes):
                per_row, kv_heads, _ = sizes
                tables, partial_rows = _tables(new, tiling, per_row, kv_heads)
                if partial_rows > value.part_lse.numel():
                    return None
                filled += zip(value, tables, strict=False)
            case "chain":
                filled += zip(value, _chain_tables(new), strict=True)
            case _:
                return None
    if any(table.numel() > room.numel() for room, table in filled):
        return None
    for room, table in filled:
        room.view(-1)[: table.numel()].copy_(table.view(-1))
    return new.in_place_of(old, kept)


@cache
def _gpu(device: torch.device) -> tuple[int, int]:
    """Return multiprocessors and ten times the compute capability."""
    if device.type != "cuda":
        # the interpreter has no device; a few workers there exercise every path
        return 3, 90
    properties = torch.cuda.get_device_properties(device)
    return properties.multi_processor_count, properties.major * 10 + properties.minor


def _table(values: Any, columns: int) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32).reshape(-1, columns)


def _roomy(table: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy a table to the device with room for a longer one, so that another layout may take its place."""
    room = torch.zeros(_room(len(table)), table.shape[1], dtype=table.dtype, device=device)
    room[: len(table)] = table.to(device)
    return room


def _room(count: int) -> int:
    return max(64, triton.next_power_of_2(count))


def _chain_tables(plan: DecodePlan) -> tuple[torch.Tensor, torch.Tensor]:
    """List where each row's list of segments begins, and all lists as (start, position, length)."""
    begins, fields = [0], []
    for row in range(plan.rows):
        mine = [s for s in plan.segments if s.row_start <= row < s.row_stop and s.length]
        fields += [(s.start, s.position, s.length) for s in mine]
        begins.append(len(fields))
    return _table(begins, 1), _table(fields, 3)


def _chain(plan: DecodePlan) -> tuple[torch.Tensor, ...]:
    return tuple(_roomy(table, plan.device) for table in _chain_tables(plan))


def _tables(
    plan: DecodePlan, tiling: Tiling, per_row: int, kv_heads: int
) -> tuple[tuple[torch.Tensor, ...], int]:
    """Write a schedule as the first five fields of `_Work`, and count the rows of its partial results."""
    schedule = divide_context(
        plan.segments,
        rows=plan.rows,
        kv_heads=kv_heads,
        rows_per_tile=tiling.block_m // per_row,
        block_n=tiling.block_n,
        workers=tiling.busy_workers,
    )
    idle = [len(schedule.items)] * (tiling.workers - tiling.busy_workers)
    row_entries, entries = [0], []
    for row, tiles in enumerate(schedule.row_tiles):
        entries += [(tile, (row - schedule.tiles[tile].row_start) * per_row) for tile in tiles]
        row_entries.append(len(entries))
    tables = (
        _table(_fields(plan, schedule), ITEM_FIELDS.value),
        _table([*schedule.worker_items, *idle], 1),
        _table(schedule.partials, 1),
        _table(row_entries, 1),
        _table(entries, 2),
    )
    return tables, len(schedule.items) * tiling.block_m


def _prepare(plan: DecodePlan, tiling: Tiling, per_row: int, kv_heads: int, width: int) -> _Work:
    tables, partial_rows = _tables(plan, tiling, per_row, kv_heads)

    def room(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float32, device=plan.device)

    own_rows = plan.rows * kv_heads * tiling.splits * per_row
    items, worker_items, partials, row_entries, entries = (_roomy(table, plan.device) for table in tables)
    return _Work(
        items,
        worker_items,
        partials,
        row_entries,
        entries,
        part_out=room(_room(partial_rows), width),
        part_lse=room(_room(partial_rows)),
        own_out=room(own_rows, width),
        own_lse=room(own_rows),
    )


def _fields(plan: DecodePlan, schedule: Schedule) -> list[tuple[int, ...]]:
    fields: list[tuple[int, ...]] = []
    for item in schedule.items:
        tile = schedule.tiles[item.tile]
        s = plan.segments[tile.segment]
        rows = tile.row_stop - tile.row_start
        fields.append(
            (s.start, s.position, item.key_begin, item.key_end, item.head, tile.row_start, rows, item.partial)
        )
    return fields
