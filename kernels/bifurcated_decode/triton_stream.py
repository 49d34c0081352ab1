"""What the stream-K kernels read of a batch, as int32 tables on the device, and room for fragments."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.schedule import line_up, row_tiles, tiles_of_rows
from codesample.kernels.bifurcated_decode.triton_stream_kernels import RUN_FIELDS
from codesample.kernels.bifurcated_decode.triton_tables import (
    Division,
    PartialResults,
    entry_tables,
    room_for,
    table_of,
    with_room,
)

__all__ = ["StreamTables", "StreamWork", "make_stream_work", "stream_tables"]


class StreamTables(NamedTuple):
    """Where the outputs of shared segments stand in the line. An output is a row tile and a KV head.

    Attributes:
        runs: [N, RUN_FIELDS].
        run_begins: [N + 1, 1]; run i has key tiles [run_begins[i], run_begins[i + 1]) of the line, and rows'
            own tokens follow the last.
        run_count: [1, 1], N.
        output_runs: [T * G + 1, 1]; output i has runs [output_runs[i], output_runs[i + 1]) of the next.
        runs_by_output: [N, 1], runs by output and key.
        row_entries, entries: As in `ScheduleTables`.
    """

    runs: Tensor
    run_begins: Tensor
    run_count: Tensor
    output_runs: Tensor
    runs_by_output: Tensor
    row_entries: Tensor
    entries: Tensor


class StreamWork(NamedTuple):
    """The line of a batch on the device, and room for what workers find."""

    tables: StreamTables
    results: PartialResults


def stream_tables(batch: DecodeBatch, division: Division) -> tuple[StreamTables, int]:
    """Line up the shared part, on the host, and count the rows of its fragments."""
    tiling, per_row, kv_heads, _ = division
    tiles = row_tiles(batch.segments, tiling.block_m // per_row)
    line = line_up(batch.segments, tiles, kv_heads=kv_heads, block_n=tiling.block_n, workers=tiling.workers)
    fields, begins = [], [0]
    for run in line:
        tile = tiles[run.tile]
        s = batch.segments[tile.segment]
        begin, end = (key * tiling.block_n for key in (run.first, run.first + run.key_tiles))
        rows = tile.row_stop - tile.row_start
        fields.append((s.start, s.position, begin, min(end, s.length), run.head, tile.row_start, rows))
        begins.append(begins[-1] + run.key_tiles)
    by_output: list[list[int]] = [[] for _ in range(len(tiles) * kv_heads)]
    for number, run in enumerate(line):
        by_output[run.tile * kv_heads + run.head].append(number)
    ends = [0]
    for mine in by_output:
        ends.append(ends[-1] + len(mine))
    tables = StreamTables(
        table_of(fields, RUN_FIELDS.value),
        table_of(begins, 1),
        table_of([len(line)], 1),
        table_of(ends, 1),
        table_of([number for mine in by_output for number in mine], 1),
        *entry_tables(tiles, tiles_of_rows(tiles, batch.rows), per_row),
    )
    return tables, (len(line) + tiling.workers) * tiling.block_m


def make_stream_work(batch: DecodeBatch, division: Division, device: torch.device) -> StreamWork:
    """Line up a batch's work and take room for its fragments, as many as outputs and workers together."""
    tables, partial_rows = stream_tables(batch, division)
    tiling, per_row, kv_heads, width = division

    def room(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.float32, device=device)

    own_rows = (batch.rows * kv_heads + tiling.workers) * per_row
    return StreamWork(
        StreamTables(*(with_room(table, device) for table in tables)),
        PartialResults(
            part_out=room(room_for(partial_rows), width),
            part_lse=room(room_for(partial_rows)),
            own_out=room(own_rows, width),
            own_lse=room(own_rows),
        ),
    )
