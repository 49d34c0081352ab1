"""Divide the shared part of a step among the workers of a GPU: equal shares of key tiles, ragged or not.

Pure host arithmetic, done once per batch. Key tiles of all segments, KV heads and row tiles are put in one
line, and every worker takes an equal stretch of it (see `stream_k`). Row tiles of one range of keys stand
side by side in the line, so that workers which run together read the same keys, once from memory and then
from the L2 cache.

An example, with one KV head. Three rows share a header of 96 tokens, and the first two of them a prompt of
32 tokens behind it. A row tile takes two rows and a key tile 16 tokens, so there are three row tiles:

    row tile 0   header, rows 0 and 1   6 key tiles
    row tile 1   header, row 2          6 key tiles
    row tile 2   prompt, rows 0 and 1   2 key tiles

That is 14 key tiles for 5 workers: 2, 3, 3, 3 and 3. Both row tiles of the header read the same keys, so the
header is put in the line in two stretches of 3 key tiles, first for both row tiles, then second for both:

    key tile     0 1 2   0 1 2   3 4 5   3 4 5   0 1
    row tile     0 0 0   1 1 1   0 0 0   1 1 1   2 2
    worker       0 0 1   1 1 2   2 2 3   3 3 4   4 4

>>> header, prompt = Segment(0, 96, 0, 3, 0), Segment(96, 32, 0, 2, 96)
>>> schedule = divide_shared([header, prompt], rows=3, kv_heads=1, rows_per_tile=2, block_n=16, workers=5)

Worker 1 finishes the first stretch for row tile 0, its keys 32 to 47, and begins it for row tile 1. An item
is one such run: row tile, KV head, first key, last key + 1, and the number of its result:

>>> [tuple(i) for i in schedule.items[schedule.worker_items[1] : schedule.worker_items[2]]]
[(0, 0, 32, 48, 1), (1, 0, 0, 32, 4)]

Row tile 0 was cut into four runs, by the bounds of workers and of stretches. Results are numbered by row
tile and key, so results 0 to 3 are its own, and the second launch joins them in that order, whoever made
them; row tile 1 has 4 to 7 and row tile 2 has 8:

>>> [(i.key_begin, i.key_end, i.partial) for i in schedule.items if i.tile == 0]
[(0, 32, 0), (32, 48, 1), (48, 80, 2), (80, 96, 3)]
>>> schedule.partials
(0, 4, 8, 9)

Rows 0 and 1 are joined from row tiles 0 and 2, row 2 from row tile 1 alone:

>>> schedule.row_tiles
((0, 2), (0, 2), (1,))
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode.batch import Segment
from codesample.kernels.bifurcated_decode.stream_k import stream_plan

__all__ = [
    "Item",
    "RowTile",
    "Run",
    "Schedule",
    "divide_fixed",
    "divide_shared",
    "fixed_ranges",
    "line_up",
    "row_tiles",
    "tiles_of_rows",
]


class RowTile(NamedTuple):
    """Rows [row_start, row_stop) of segment number `segment`, computed together."""

    segment: int
    row_start: int
    row_stop: int


class Run(NamedTuple):
    """Key tiles of one row tile and KV head that stand together in the line, the first of them `first`."""

    tile: int
    head: int
    first: int
    key_tiles: int


class Item(NamedTuple):
    """One worker's stretch of one row tile and KV head: keys [key_begin, key_end) of the tile's segment.

    `partial` numbers the result; the results of one (row tile, KV head) are numbered in order of keys.
    """

    tile: int
    head: int
    key_begin: int
    key_end: int
    partial: int


@dataclass(frozen=True)
class Schedule:
    """Who computes what, and which results belong together.

    Attributes:
        tiles: All row tiles.
        items: All items, worker by worker.
        worker_items: Worker w does items [worker_items[w], worker_items[w + 1]).
        partials: Results [partials[i], partials[i + 1]) belong to row tile i // G and KV head i % G.
        row_tiles: Tiles of each row, by position of their segments.
    """

    tiles: tuple[RowTile, ...]
    items: tuple[Item, ...]
    worker_items: tuple[int, ...]
    partials: tuple[int, ...]
    row_tiles: tuple[tuple[int, ...], ...]


def divide_shared(
    segments: Sequence[Segment], *, rows: int, kv_heads: int, rows_per_tile: int, block_n: int, workers: int
) -> Schedule:
    """Divide all (segment, KV head, row tile, key tile) among `workers`.

    Every key tile is computed exactly once, and the numbers of key tiles of any two workers differ by at
    most one.

    Args:
        segments: By position, as in `DecodeBatch.segments`; empty ones take no work.
        rows: R, rows of the batch.
        kv_heads: G.
        rows_per_tile: Rows whose queries fill one tile.
        block_n: Keys per key tile.
        workers: Programs that share the work.

    Raises:
        ParameterError: `workers`, `rows_per_tile` or `block_n` is below 1.
    """
    if min(workers, rows_per_tile, block_n) < 1:
        raise ParameterError(
            f"divide_shared: workers = {workers}, rows_per_tile = {rows_per_tile}, block_n = {block_n}; "
            "expected at least 1 of each"
        )
    tiles = row_tiles(segments, rows_per_tile)
    line = line_up(segments, tiles, kv_heads=kv_heads, block_n=block_n, workers=workers)
    plan = stream_plan([run.key_tiles for run in line], tile=1, workers=workers)
    pieces = []
    for fragment in chain.from_iterable(plan.workers):
        tile, head, first, _ = line[fragment.output]
        begin, end = (first + fragment.begin) * block_n, (first + fragment.end) * block_n
        pieces.append((tile, head, begin, min(end, segments[tiles[tile].segment].length)))
    return _numbered(tiles, pieces, list(map(len, plan.workers)), rows=rows, kv_heads=kv_heads)


def divide_fixed(
    segments: Sequence[Segment], *, rows: int, kv_heads: int, rows_per_tile: int, keys: int, workers: int
) -> Schedule:
    """Cut the keys of every row tile at multiples of `keys` positions, and divide these among `workers`.

    Where they are cut depends on no other segment and on no number of workers.

    Raises:
        ParameterError: `workers`, `rows_per_tile` or `keys` is below 1.
    """
    if min(workers, rows_per_tile, keys) < 1:
        raise ParameterError(
            f"divide_fixed: workers = {workers}, rows_per_tile = {rows_per_tile}, keys = {keys}; "
            "expected at least 1 of each"
        )
    tiles = row_tiles(segments, rows_per_tile)
    members = [(s, [i for i, t in enumerate(tiles) if t.segment == n]) for n, s in enumerate(segments)]
    pieces = [
        (tile, head, begin, end)
        for s, of_segment in members
        for head in range(kv_heads)
        for begin, end in fixed_ranges(s.position, s.length, keys)
        for tile in of_segment
    ]
    plan = stream_plan([1] * len(pieces), tile=1, workers=workers)
    return _numbered(tiles, pieces, list(map(len, plan.workers)), rows=rows, kv_heads=kv_heads)


def fixed_ranges(position: int, length: int, keys: int) -> Iterator[tuple[int, int]]:
    """Cut `length` keys at multiples of `keys` positions; ranges are counted from the first."""
    begin = 0
    while begin < length:
        end = min(begin + keys - (position + begin) % keys, length)
        yield begin, end
        begin = end


def row_tiles(segments: Sequence[Segment], rows_per_tile: int) -> tuple[RowTile, ...]:
    """Cut the rows of all segments that have keys."""
    return tuple(
        RowTile(number, first, min(first + rows_per_tile, s.row_stop))
        for number, s in enumerate(segments)
        if s.length
        for first in range(s.row_start, s.row_stop, rows_per_tile)
    )


def line_up(
    segments: Sequence[Segment], tiles: Sequence[RowTile], *, kv_heads: int, block_n: int, workers: int
) -> list[Run]:
    """Put all runs in a line, such that row tiles of one key range are neighbours."""
    total = kv_heads * sum(-(-segments[tile.segment].length // block_n) for tile in tiles)
    share = max(-(-total // workers), 1)
    by_segment: dict[int, list[int]] = {}
    for index, tile in enumerate(tiles):
        by_segment.setdefault(tile.segment, []).append(index)
    line = []
    for number, members in by_segment.items():
        key_tiles = -(-segments[number].length // block_n)
        # a lone row tile shares its keys with no other, so only workers' bounds need cut it
        stretches = 1 if len(members) == 1 else max(key_tiles // share, 1)
        for head in range(kv_heads):
            for i in range(stretches):
                begin, end = i * key_tiles // stretches, (i + 1) * key_tiles // stretches
                line += [Run(member, head, begin, end - begin) for member in members]
    return line


def tiles_of_rows(tiles: Sequence[RowTile], rows: int) -> tuple[tuple[int, ...], ...]:
    """Return the tiles that each row is in, in their order."""
    found: list[list[int]] = [[] for _ in range(rows)]
    for index, tile in enumerate(tiles):
        for row in range(tile.row_start, tile.row_stop):
            found[row].append(index)
    return tuple(map(tuple, found))


def _numbered(
    tiles: tuple[RowTile, ...],
    pieces: Sequence[tuple[int, int, int, int]],
    shares: Sequence[int],
    *,
    rows: int,
    kv_heads: int,
) -> Schedule:
    """Number the results of pieces (tile, head, first key, last key + 1), of which workers have `shares`."""
    order = sorted(range(len(pieces)), key=lambda i: pieces[i][:3])
    number = {piece: partial for partial, piece in enumerate(order)}
    items = tuple(Item(*piece, number[i]) for i, piece in enumerate(pieces))
    owners = [pieces[i][0] * kv_heads + pieces[i][1] for i in order]
    partials = tuple(bisect_right(owners, owner - 1) for owner in range(len(tiles) * kv_heads + 1))
    return Schedule(tiles, items, tuple(accumulate(shares, initial=0)), partials, tiles_of_rows(tiles, rows))
