"""What a call should cost on a GPU, and the tile sizes, split counts and implementation that follow."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.kernels.bifurcated_decode.plan import DecodePlan

__all__ = ["Tiling", "choose_tiling"]


@dataclass(frozen=True)
class Tiling:
    """Sizes of the Triton launch.

    Attributes:
        block_m: Packed query rows per context tile.
        block_n: Keys per tile.
        own_block_m: Packed query rows of one batch row, padded.
        workers: Programs that share the context; part of the grid, so fixed for a captured graph.
        busy_workers: Workers that get work; the rest end at once.
        splits: Programs per (row, KV head) that share the row's own tokens.
        warps, stages: Per program of the first launch.
        join_warps: Per program of the second.
    """

    block_m: int
    block_n: int
    own_block_m: int
    workers: int
    busy_workers: int
    splits: int
    warps: int
    stages: int
    join_warps: int


def choose_tiling(
    plan: DecodePlan,
    queries: int,
    group: int,
    kv_heads: int,
    width: int,
    element_size: int,
    capacity: int,
    multiprocessors: int,
) -> Tiling:
    """Choose the launch for a batch.

    Args:
        plan: The batch.
        queries: Q.
        group: H / G.
        kv_heads: G.
        width: D.
        element_size: Bytes per element.
        capacity: T, tokens per decode slot.
        multiprocessors: Of the GPU.
    """
    per_row = queries * group
    packed = max((s.row_stop - s.row_start for s in plan.segments), default=1) * per_row
    block_m = max(16, _power_of_two(per_row), min(128, _power_of_two(packed)))
    # K and V tiles of one stage: 32 KiB, so that two or three stages fit and keep enough bytes in flight
    block_n = max(16, min(64, 16384 // (_power_of_two(width) * element_size)))
    workers = multiprocessors * (2 if block_m <= 64 else 1)
    rows_per_tile = block_m // per_row
    tiles = kv_heads * sum(
        -(-s.length // block_n) * -(-(s.row_stop - s.row_start) // rows_per_tile) for s in plan.segments
    )
    wanted_splits = -(-2 * multiprocessors // (plan.rows * kv_heads))
    return Tiling(
        block_m=block_m,
        block_n=block_n,
        own_block_m=max(16, _power_of_two(per_row)),
        workers=workers,
        busy_workers=max(1, min(workers, tiles // 2)),
        splits=max(1, min(wanted_splits, capacity // 256)),
        warps=4 if block_m <= 64 else 8,
        stages=3 if element_size == 2 else 2,
        join_warps=1 if per_row * width <= 512 else 4,
    )


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()
