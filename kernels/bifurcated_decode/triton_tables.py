"""What the Triton kernels read of a batch: its layout and its schedule as int32 tables on the device.

Tables are made on the host and copied with room to spare, so that another batch's may take their place
under launches that are already captured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
import triton
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.cost import Tiling
from codesample.kernels.bifurcated_decode.schedule import Schedule, divide_shared
from codesample.kernels.bifurcated_decode.triton_kernels import ITEM_FIELDS

__all__ = [
    "ChainTables",
    "Division",
    "PartialResults",
    "RowTables",
    "ScheduleTables",
    "Work",
    "chain_tables",
    "make_work",
    "refill",
    "row_tables",
    "schedule_tables",
    "with_room",
]


class RowTables(NamedTuple):
    """[R, 1] both: each row's slot, and the absolute position of its first own token."""

    slots: Tensor
    own_starts: Tensor


class ChainTables(NamedTuple):
    """Each row's segments, for the kernel that shares nothing.

    Attributes:
        row_entries: [R + 1, 1]; row r sees entries [row_entries[r], row_entries[r + 1]).
        entries: [E, 3]: start, position and length of a segment.
    """

    row_entries: Tensor
    entries: Tensor


class ScheduleTables(NamedTuple):
    """A `Schedule`, for the kernels that share.

    Attributes:
        items: [I, ITEM_FIELDS].
        worker_items: [W + 1, 1]; worker w does items [worker_items[w], worker_items[w + 1]).
        partials: [T * G + 1, 1]; as in `Schedule`.
        row_entries: [R + 1, 1]; row r is in entries [row_entries[r], row_entries[r + 1]).
        entries: [E, 2]: a row tile, and the row's first packed query row in it.
    """

    items: Tensor
    worker_items: Tensor
    partials: Tensor
    row_entries: Tensor
    entries: Tensor


class PartialResults(NamedTuple):
    """Room for fp32 results of one layer before they are joined: of shared items, and of rows' own parts."""

    part_out: Tensor
    part_lse: Tensor
    own_out: Tensor
    own_lse: Tensor


class Division(NamedTuple):
    """What the division of a batch's work depends on besides the batch.

    Attributes:
        tiling: Sizes.
        per_row: Q * H / G, packed query rows of a batch row.
        kv_heads, width: G, D.
    """

    tiling: Tiling
    per_row: int
    kv_heads: int
    width: int


class Work(NamedTuple):
    """The divided work of a batch on the device."""

    tables: ScheduleTables
    results: PartialResults


def row_tables(batch: DecodeBatch) -> RowTables:
    """Write the rows' slots and starts, on the host."""
    return RowTables(_table(batch.slots, 1), _table(batch.own_starts, 1))


def chain_tables(batch: DecodeBatch) -> ChainTables:
    """Write each row's segments that are not empty, on the host."""
    begins, fields = [0], []
    for row in range(batch.rows):
        fields += [(s.start, s.position, s.length) for s in batch.chain(row) if s.length]
        begins.append(len(fields))
    return ChainTables(_table(begins, 1), _table(fields, 3))


def schedule_tables(batch: DecodeBatch, division: Division) -> tuple[ScheduleTables, int]:
    """Divide the shared part, on the host, and count the rows of its partial results."""
    tiling, per_row, kv_heads, _ = division
    schedule = divide_shared(
        batch.segments,
        rows=batch.rows,
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
    tables = ScheduleTables(
        items=_table(_fields(batch, schedule), ITEM_FIELDS.value),
        worker_items=_table([*schedule.worker_items, *idle], 1),
        partials=_table(schedule.partials, 1),
        row_entries=_table(row_entries, 1),
        entries=_table(entries, 2),
    )
    return tables, len(schedule.items) * tiling.block_m


def make_work(batch: DecodeBatch, division: Division, device: torch.device) -> Work:
    """Divide a batch's work and take room for its partial results."""
    tables, partial_rows = schedule_tables(batch, division)
    tiling, per_row, kv_heads, width = division

    def room(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float32, device=device)

    own_rows = batch.rows * kv_heads * tiling.splits * per_row
    return Work(
        ScheduleTables(*(with_room(table, device) for table in tables)),
        PartialResults(
            part_out=room(_room(partial_rows), width),
            part_lse=room(_room(partial_rows)),
            own_out=room(own_rows, width),
            own_lse=room(own_rows),
        ),
    )


def with_room(table: Tensor, device: torch.device) -> Tensor:
    """Copy a table to the device with room for a longer one, so that another layout may take its place."""
    room = torch.zeros(_room(len(table)), table.shape[1], dtype=table.dtype, device=device)
    room[: len(table)] = table.to(device)
    return room


def refill(pairs: Sequence[tuple[Tensor, Tensor]]) -> bool:
    """Write each table into the room of another; returns whether all fit, and writes nothing if not."""
    if any(table.numel() > room.numel() for room, table in pairs):
        return False
    for room, table in pairs:
        room.view(-1)[: table.numel()].copy_(table.view(-1))
    return True


def _room(count: int) -> int:
    return max(64, int(triton.next_power_of_2(count)))


def _table(values: Iterable[object], columns: int) -> Tensor:
    return torch.tensor(list(values), dtype=torch.int32).reshape(-1, columns)


def _fields(batch: DecodeBatch, schedule: Schedule) -> list[tuple[int, ...]]:
    fields: list[tuple[int, ...]] = []
    for item in schedule.items:
        tile = schedule.tiles[item.tile]
        s = batch.segments[tile.segment]
        rows = tile.row_stop - tile.row_start
        fields.append(
            (s.start, s.position, item.key_begin, item.key_end, item.head, tile.row_start, rows, item.partial)
        )
    return fields
