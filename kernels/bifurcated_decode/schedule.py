"""Divide the shared part of a step among the workers of a GPU: equal shares of key tiles, ragged or not.

Pure host arithmetic, done once per batch. Key tiles of all segments, KV heads and row tiles are put in one
line, and every worker takes an equal stretch of it (the stream-K division of LeanAttention,
arXiv:2405.10480). Row tiles of one range of keys stand side by side in the line, so that workers which run
together read the same keys, once from memory and then from the L2 cache.

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
from typing import NamedTuple

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode.batch import Segment

__all__ = ["Item", "RowTile", "Schedule", "divide_shared"]


class RowTile(NamedTuple):
    """Rows [row_start, row_stop) of segment number `segment`, computed together."""

    segment: int
    row_start: int
    row_stop: int


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
    tiles = tuple(
        RowTile(number, first, min(first + rows_per_tile, s.row_stop))
        for number, s in enumerate(segments)
        if s.length
        for first in range(s.row_start, s.row_stop, rows_per_tile)
    )
    total = kv_heads * sum(-(-segments[tile.segment].length // block_n) for tile in tiles)
    line = list(_line_up(segments, tiles, kv_heads, block_n, share=-(-total // workers)))
    bounds = [worker * total // workers for worker in range(workers + 1)]
    pieces, worker_items = _cut(line, bounds, block_n)
    order = sorted(range(len(pieces)), key=lambda i: pieces[i][:3])
    number = {piece: partial for partial, piece in enumerate(order)}
    items = tuple(
        Item(tile, head, begin, min(end, segments[tiles[tile].segment].length), number[i])
        for i, (tile, head, begin, end) in enumerate(pieces)
    )
    owners = [pieces[i][0] * kv_heads + pieces[i][1] for i in order]
    partials = tuple(bisect_right(owners, owner - 1) for owner in range(len(tiles) * kv_heads + 1))
    row_tiles: list[list[int]] = [[] for _ in range(rows)]
    for index, tile in enumerate(tiles):
        for row in range(tile.row_start, tile.row_stop):
            row_tiles[row].append(index)
    return Schedule(tiles, items, worker_items, partials, tuple(map(tuple, row_tiles)))


def _line_up(
    segments: Sequence[Segment], tiles: Sequence[RowTile], kv_heads: int, block_n: int, share: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (tile, head, first key tile, key tiles) such that row tiles of one key range are neighbours."""
    by_segment: dict[int, list[int]] = {}
    for index, tile in enumerate(tiles):
        by_segment.setdefault(tile.segment, []).append(index)
    for number, members in by_segment.items():
        key_tiles = -(-segments[number].length // block_n)
        # a lone row tile shares its keys with no other, so only workers' bounds need cut it
        stretches = 1 if len(members) == 1 else max(key_tiles // max(share, 1), 1)
        for head in range(kv_heads):
            for i in range(stretches):
                begin, end = i * key_tiles // stretches, (i + 1) * key_tiles // stretches
                for member in members:
                    yield member, head, begin, end - begin


def _cut(
    line: Sequence[tuple[int, int, int, int]], bounds: Sequence[int], block_n: int
) -> tuple[list[tuple[int, int, int, int]], tuple[int, ...]]:
    """Cut the line at the workers' bounds into (tile, head, first key, last key + 1); count per worker."""
    pieces: list[tuple[int, int, int, int]] = []
    worker_items = [0]
    worker = at = 0
    for tile, head, first, count in line:
        stop = at + count
        while at < stop:
            while bounds[worker + 1] <= at:
                worker_items.append(len(pieces))
                worker += 1
            end = min(stop, bounds[worker + 1])
            begin = first + count - (stop - at)
            pieces.append((tile, head, begin * block_n, (begin + end - at) * block_n))
            at = end
    worker_items += [len(pieces)] * (len(bounds) - len(worker_items))
    return pieces, tuple(worker_items)
