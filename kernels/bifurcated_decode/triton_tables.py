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
from codesample.kernels.bifurcated_decode.schedule import (
    RowTile,
    Schedule,
    divide_fixed,
    divide_shared,
)
from codesample.kernels.bifurcated_decode.triton_kernels import ITEM_FIELDS

__all__ = [
    "ChainTables",
    "Division",
    "PartialResults",
    "RowTables",
    "ScheduleTables",
    "Work",
    "chain_tables",
    "entry_tables",
    "make_work",
    "refill",
    "room_for",
    "row_tables",
    "schedule_tables",
    "table_of",
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
    """Room for fp32 results of one layer before they are joined: of shared items, and of rows' own parts.

    None is kept of own parts where the join computes these itself.
    """

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
    return RowTables(table_of(batch.slots, 1), table_of(batch.own_starts, 1))


def chain_tables(batch: DecodeBatch) -> ChainTables:
    """Write each row's segments that are not empty, on the host."""
    begins, fields = [0], []
    for row in range(batch.rows):
        fields += [(s.start, s.position, s.length) for s in batch.chain(row) if s.length]
        begins.append(len(fields))
    return ChainTables(table_of(begins, 1), table_of(fields, 3))


def schedule_tables(batch: DecodeBatch, division: Division) -> tuple[ScheduleTables, int]:
    """Divide the shared part, on the host, and count the rows of its partial results."""
    tiling, per_row, kv_heads, _ = division
    sizes = {
        "rows": batch.rows,
        "kv_heads": kv_heads,
        "rows_per_tile": tiling.block_m // per_row,
        "workers": tiling.busy_workers,
    }
    if tiling.split_keys:
        schedule = divide_fixed(batch.segments, keys=tiling.split_keys, **sizes)
    else:
        schedule = divide_shared(batch.segments, block_n=tiling.block_n, **sizes)
    idle = [len(schedule.items)] * (tiling.workers - tiling.busy_workers)
    row_entries, entries = entry_tables(schedule.tiles, schedule.row_tiles, per_row)
    tables = ScheduleTables(
        items=table_of(_fields(batch, schedule), ITEM_FIELDS.value),
        worker_items=table_of([*schedule.worker_items, *idle], 1),
        partials=table_of(schedule.partials, 1),
        row_entries=row_entries,
        entries=entries,
    )
    return tables, len(schedule.items) * tiling.block_m


def entry_tables(
    tiles: Sequence[RowTile], row_tiles: Sequence[Sequence[int]], per_row: int
) -> tuple[Tensor, Tensor]:
    """Write the row tiles of each row, on the host: `row_entries` and `entries` of `ScheduleTables`."""
    row_entries, entries = [0], []
    for row, mine in enumerate(row_tiles):
        entries += [(tile, (row - tiles[tile].row_start) * per_row) for tile in mine]
        row_entries.append(len(entries))
    return table_of(row_entries, 1), table_of(entries, 2)


def make_work(batch: DecodeBatch, division: Division, device: torch.device) -> Work:
    """Divide a batch's work and take room for its partial results."""
    tables, partial_rows = schedule_tables(batch, division)
    tiling, per_row, kv_heads, width = division

    def room(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float32, device=device)

    own_rows = 0 if tiling.own == "join" else batch.rows * kv_heads * tiling.splits * per_row
    return Work(
        ScheduleTables(*(with_room(table, device) for table in tables)),
        PartialResults(
            part_out=room(room_for(partial_rows), width),
            part_lse=room(room_for(partial_rows)),
            own_out=room(own_rows, width),
            own_lse=room(own_rows),
        ),
    )


def room_for(count: int) -> int:
    """Return for how many there is to be room where another layout may have more than `count`."""
    return max(64, int(triton.next_power_of_2(count)))


def with_room(table: Tensor, device: torch.device) -> Tensor:
    """Copy a table to the device with room for a longer one, so that another layout may take its place."""
    room = torch.zeros(room_for(len(table)), table.shape[1], dtype=table.dtype, device=device)
    room[: len(table)] = table.to(device)
    return room


def refill(pairs: Sequence[tuple[Tensor, Tensor]]) -> bool:
    """Write each table into the room of another; returns whether all fit, and writes nothing if not."""
    if any(table.numel() > room.numel() for room, table in pairs):
        return False
    for room, table in pairs:
        room.view(-1)[: table.numel()].copy_(table.view(-1))
    return True


def table_of(values: Iterable[object], columns: int) -> Tensor:
    """Write numbers, row after row, as int32 on the host."""
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
