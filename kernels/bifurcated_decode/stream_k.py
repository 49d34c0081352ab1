"""The stream-K plan of LeanAttention: tiles of all outputs end to end, an equal stretch for every worker.

An output is one attention over some keys: a row tile of a shared segment, or a row's own tokens, for one KV
head. Its keys are cut into tiles; the tiles of all outputs form one line, and worker w of W, no more than
there are tiles, takes those from w T // W to (w + 1) T // W of T, whatever outputs these belong to. So no
worker has more than one tile more than another, however unlike the outputs are. What a worker does of one
output is a fragment, an attention result of its own, and the fragments of an output are joined in order of
keys, whoever made them.

Three outputs of 96, 32 and 40 keys in tiles of 16 are 6, 2 and 3 tiles, for four workers 2, 3, 3 and 3:

    output   0 0 0 0 0 0 1 1 2 2 2
    worker   0 0 1 1 1 2 2 2 3 3 3

>>> plan = stream_plan([96, 32, 40], tile=16, workers=4)
>>> [tuple(fragment) for fragment in plan.workers[2]]
[(0, 80, 96, 2), (1, 0, 32, 3)]
>>> [(f.begin, f.end, f.number) for f in plan.outputs[0]]
[(0, 32, 0), (32, 80, 1), (80, 96, 2)]

A fragment is numbered output + worker. Along the line one of the two rises at least, so no number comes twice
and those of one output follow one another: whoever knows where an output begins in the line knows the numbers
of all its fragments, and the plan itself need not be stored. Kernels do so on the device, where alone it is
known how many tokens rows have drawn.

Source: arXiv:2405.10480.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from codesample.errors import ParameterError

__all__ = ["Fragment", "StreamPlan", "first_tile", "stream_plan", "worker_of"]


class Fragment(NamedTuple):
    """Keys [begin, end) of an output, done by one worker; `number` is output + worker."""

    output: int
    begin: int
    end: int
    number: int


@dataclass(frozen=True)
class StreamPlan:
    """Who computes what, and what belongs together.

    Attributes:
        workers: The fragments of each worker, by output.
        outputs: The fragments of each output, by key; none for one without keys.
    """

    workers: tuple[tuple[Fragment, ...], ...]
    outputs: tuple[tuple[Fragment, ...], ...]


def stream_plan(keys: Sequence[int], *, tile: int, workers: int) -> StreamPlan:
    """Divide outputs among workers.

    Args:
        keys: Of each output, 0 or more.
        tile: Keys per tile; the last one of an output may have fewer.
        workers: W; where there are fewer tiles than that, the last workers get none.

    Raises:
        ParameterError: `tile` or `workers` is below 1, or an output has fewer keys than none.
    """
    if min(tile, workers) < 1 or min(keys, default=0) < 0:
        raise ParameterError(
            f"stream_plan: tile = {tile}, workers = {workers}, keys from {min(keys, default=0)}; expected "
            "at least 1, 1 and 0"
        )
    counts = [-(-each // tile) for each in keys]
    total = sum(counts)
    # without idle workers between two that share an output its numbers have no gap
    busy = min(workers, total)
    by_worker: list[list[Fragment]] = [[] for _ in range(workers)]
    by_output: list[tuple[Fragment, ...]] = []
    at = 0
    for output, count in enumerate(counts):
        begin, mine = at, []
        while at < begin + count:
            worker = worker_of(at, total, busy)
            stop = min(begin + count, first_tile(worker + 1, total, busy))
            last = min((stop - begin) * tile, keys[output])
            mine.append(Fragment(output, (at - begin) * tile, last, output + worker))
            by_worker[worker].append(mine[-1])
            at = stop
        by_output.append(tuple(mine))
    return StreamPlan(tuple(map(tuple, by_worker)), tuple(by_output))


def first_tile(worker: int, tiles: int, workers: int) -> int:
    """Return where a worker's stretch of the line begins, of no more workers than tiles."""
    return worker * tiles // workers


def worker_of(tile: int, tiles: int, workers: int) -> int:
    """Return who of the workers, no more than tiles, has a tile of the line: the last to begin by then."""
    return ((tile + 1) * workers - 1) // tiles
