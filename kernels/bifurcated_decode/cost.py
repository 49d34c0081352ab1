"""What a call should cost on a GPU, and the tile sizes, split counts and number of launches that follow.

The model counts bytes and launches and divides by a machine's rates. Its rates are expectations, from
published limits and from the copy rate usual on such a machine; none has been fitted to a measurement of
these kernels. `codesample bench fit` does that from rows of a card.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.packed_keys import GROUP

__all__ = [
    "HOPPER",
    "CallShape",
    "Estimate",
    "Machine",
    "OwnTokens",
    "Tiling",
    "choose_tiling",
    "estimate",
    "fixed_tiling",
    "most_queries",
    "stream_tiling",
    "with_own",
]

# with a larger tile of queries some kernel spills registers, as `compile_check` finds
_QUERY_TILE_BYTES = 32 << 10
# packed query rows of a tile whose size must not follow the batch: what 16 rows of four heads each fill
_FIXED_QUERIES = 64


@dataclass(frozen=True)
class Machine:
    """Rates of a GPU.

    Attributes:
        memory: Bytes per second from device memory, as a large copy reaches.
        cache: Bytes per second from the L2 cache.
        cache_bytes: Size of the L2 cache.
        program: Bytes per second that one program streams when few run.
        launch: Seconds that one more kernel in a CUDA graph costs, its tail included.
    """

    memory: float
    cache: float
    cache_bytes: int
    program: float
    launch: float


HOPPER = Machine(memory=4.3e12, cache=7e12, cache_bytes=50 << 20, program=60e9, launch=2.5e-6)


class CallShape(NamedTuple):
    """What the choice depends on besides the batch.

    Attributes:
        queries, group, kv_heads, width, element_size, capacity: Q, H / G, G, D, bytes per element, T.
        multiprocessors, capability: Of the GPU; its compute capability times ten.
        packed: Whether shared keys and values are in 8 bits.
    """

    queries: int
    group: int
    kv_heads: int
    width: int
    element_size: int
    capacity: int
    multiprocessors: int
    capability: int = 90
    packed: bool = False


OwnTokens = Literal["join", "split", "fixed", "line"]
"""Who attends to a row's own tokens: the program that joins its results; programs of the first launch, since
slots are long and rows few ("split") or cuts must not follow the batch ("fixed"); workers, in whose line they
stand ("line")."""


@dataclass(frozen=True)
class Tiling:
    """Sizes of the Triton launches.

    Attributes:
        shared: Two launches that read a segment once per row tile; else one that reads it once per row.
        block_m: Packed query rows per shared tile.
        block_n: Keys per tile.
        own_block_m: Packed query rows of one batch row, padded.
        workers: Programs that divide the shared part; part of the grid, so fixed for a captured graph.
        busy_workers: Workers that get work; the rest end at once.
        splits: Programs per (row, KV head) that share the row's own tokens.
        warps, stages: Per program of the first launch.
        join_warps: Per program of the second.
        fold: Partial results that the second takes in at once; a power of two.
        split_keys: Own tokens of each split, and keys of each item; 0 for equal shares.
        own: Who attends to rows' own tokens, and why; nobody apart where `shared` does not hold.
        own_block_n: Keys per tile of the second launch, where it attends to own tokens.
    """

    shared: bool
    block_m: int
    block_n: int
    own_block_m: int
    workers: int
    busy_workers: int
    splits: int
    warps: int
    stages: int
    join_warps: int
    fold: int = 1
    split_keys: int = 0
    own: OwnTokens = "split"
    own_block_n: int = 16


class Estimate(NamedTuple):
    """Seconds expected of either way to launch, and the least bytes a call can read."""

    shared: float
    single: float
    bytes: int


def estimate(batch: DecodeBatch, shape: CallShape, own_tokens: int, machine: Machine = HOPPER) -> Estimate:
    """Estimate a call whose rows hold `own_tokens` own tokens each."""
    own_bytes = shared_bytes = 2 * shape.width * shape.element_size
    if shape.packed:
        # bytes, and scales in fp32: of a value, and of a group's channels with their middles
        shared_bytes = 2 * shape.width + 4 + 8 * shape.width // GROUP
    own = batch.rows * own_tokens * shape.kv_heads * own_bytes
    once = sum(s.length for s in batch.segments) * shape.kv_heads * shared_bytes
    per_row = sum(s.length * (s.row_stop - s.row_start) for s in batch.segments)
    per_row *= shape.kv_heads * shared_bytes
    shared = 2 * machine.launch + (once + own) / machine.memory
    # repeated reads of shared keys that fit the cache come from there
    repeated = per_row - once
    rate = machine.cache if once <= machine.cache_bytes else machine.memory
    waves = -(-batch.rows * shape.kv_heads // (2 * shape.multiprocessors))
    longest = max(batch.own_starts, default=0) * shared_bytes + own_tokens * own_bytes
    single = machine.launch + max(
        (once + own) / machine.memory + repeated / rate, waves * longest / machine.program
    )
    return Estimate(shared, single, once + own)


def choose_tiling(batch: DecodeBatch, shape: CallShape, machine: Machine = HOPPER) -> Tiling:
    """Choose how to launch a call; own tokens are taken to fill half a slot."""
    per_row = shape.queries * shape.group
    found = _shared_tiling(shape, _most_packed(batch, shape))
    rows_per_tile = found.block_m // per_row
    tiles = shape.kv_heads * sum(
        -(-s.length // found.block_n) * -(-(s.row_stop - s.row_start) // rows_per_tile)
        for s in batch.segments
    )
    wanted_splits = -(-2 * shape.multiprocessors // (batch.rows * shape.kv_heads))
    expected = estimate(batch, shape, shape.capacity // 2, machine)
    # one launch holds its queries through two loops, which leaves fewer registers for them
    too_large = 2 * found.own_block_m * _row_bytes(shape) > _QUERY_TILE_BYTES
    found = replace(
        found,
        shared=too_large or expected.shared <= expected.single,
        busy_workers=max(1, min(found.workers, tiles // 2)),
        splits=max(1, min(wanted_splits, shape.capacity // 256)),
    )
    # what one program reads of a slot, beside which programs of the first launch cost another round
    alone = shape.capacity // 2 * 2 * shape.width * shape.element_size / machine.program
    return with_own(found, shape, "join" if found.splits == 1 or alone <= machine.launch else "split")


def with_own(found: Tiling, shape: CallShape, own: OwnTokens) -> Tiling:
    """Say who attends to rows' own tokens, which settles the second launch."""
    packed = shape.queries * shape.group
    warps = 1 if packed * shape.width <= 512 else 4
    if own == "join":
        large = 2 * found.own_block_m * _row_bytes(shape) > _QUERY_TILE_BYTES
        warps = 8 if large or shape.element_size == 4 else 4
    # so many registers of a thread hold what is taken in at once
    registers = 32 if own == "join" else 64
    held = registers * 32 * warps // (_power_of_two(packed) * max(16, _power_of_two(shape.width)))
    return replace(
        found,
        own=own,
        splits=1 if own == "join" else found.splits,
        join_warps=warps,
        fold=max(1, min(16, _power_of_two(held + 1) // 2)),
    )


def fixed_tiling(shape: CallShape, keys: int) -> Tiling:
    """Return sizes that follow from a call's shape alone; own tokens are cut at multiples of `keys`."""
    found = _shared_tiling(shape, _FIXED_QUERIES)
    # one by one, results come to the same wherever a segment is cut
    splits = max(1, -(-shape.capacity // keys))
    return replace(found, splits=splits, fold=1, split_keys=keys, own="fixed")


def stream_tiling(batch: DecodeBatch, shape: CallShape, workers: int | None) -> Tiling:
    """Choose how to launch a call by the stream-K schedule: workers alone, those given or all that fit."""
    found = with_own(_shared_tiling(shape, _most_packed(batch, shape)), shape, "line")
    block_m, warps = found.block_m, found.warps
    # both kinds of outputs in one program take more registers; where that spilled, as `compile_check` finds
    if shape.capability >= 90 and shape.element_size == 2 and block_m == 32:
        # beside keys in 8 bits, four warps spill
        warps = 8 if shape.packed else 4
    elif shape.capability >= 100 and shape.element_size == 2:
        if 2 * block_m * _row_bytes(shape) > _QUERY_TILE_BYTES:
            block_m = max(found.own_block_m, block_m // 2)
    elif shape.capability >= 90 and block_m >= 64:
        warps = 8
    workers = workers or found.workers
    return replace(
        found,
        shared=True,
        block_m=block_m,
        warps=warps,
        splits=1,
        workers=workers,
        busy_workers=workers,
    )


def _shared_tiling(shape: CallShape, packed: int) -> Tiling:
    """Return two launches for segments of `packed` query rows, every worker busy and own tokens whole."""
    per_row = shape.queries * shape.group
    own_block_m = max(16, _power_of_two(per_row))
    most = most_queries(shape.width, shape.element_size, packed=shape.packed)
    block_m = max(own_block_m, min(most, _power_of_two(packed)))
    row_bytes = _row_bytes(shape)
    # 16 KiB of keys and as much of values per stage: two or three stages keep enough bytes in flight
    block_n = max(16, min(64, 16384 // row_bytes))
    if shape.element_size == 4 and block_m > 16:
        # without matrix instructions, more keys at a time spill registers
        block_n = 16
    if shape.packed:
        block_n = max(16, block_n // 2)
    # with four warps fp32, large tiles, 32 rows on capability 9.0 and any above 16 on 10.0 spill registers
    many = (
        shape.element_size == 4
        or block_m > (16 if shape.capability >= 100 else 64)
        or (shape.capability >= 90 and block_m == 32)
        or (shape.packed and block_m > 16)
        or 2 * block_m * row_bytes > _QUERY_TILE_BYTES
    )
    workers = shape.multiprocessors * (2 if block_m <= 64 else 1)
    found = Tiling(
        shared=True,
        block_m=block_m,
        block_n=block_n,
        own_block_m=own_block_m,
        workers=workers,
        busy_workers=workers,
        splits=1,
        warps=8 if many else 4,
        stages=3 if shape.element_size == 2 else 2,
        join_warps=1,
        # own tokens are few, and small programs many to a multiprocessor
        own_block_n=max(16, min(32, 8192 // row_bytes)),
    )
    return with_own(found, shape, "split")


def _most_packed(batch: DecodeBatch, shape: CallShape) -> int:
    rows = max((s.row_stop - s.row_start for s in batch.segments), default=1)
    return rows * shape.queries * shape.group


def most_queries(width: int, element_size: int, *, packed: bool = False) -> int:
    """Return how many packed query rows of that many elements a tile holds, fewer beside keys in 8 bits."""
    most = min(128, _QUERY_TILE_BYTES // (_power_of_two(width) * element_size))
    if packed:
        # what keys are unpacked by takes registers as well
        most = 16 if element_size == 4 else most // 2
    return most


def _row_bytes(shape: CallShape) -> int:
    return _power_of_two(shape.width) * shape.element_size


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()
