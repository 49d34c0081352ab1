"""The Triton kernels of the stream-K schedule: shared segments and rows' own tokens in one line of key tiles.

The line and its division are `stream_k`'s. Where shared outputs stand in it is a table; own tokens grow from
step to step, so every program counts their tiles from the rows' lengths, and with the length of the line it
knows all the rest. Masks, shapes and logarithms are as in `triton_ops`.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.triton_ops import (
    fold_run,
    own_low,
    store_partial,
    store_result,
)
from codesample.kernels.bifurcated_decode.triton_parts import attend_row, attend_segment, nothing_yet

__all__ = ["RUN_FIELDS", "stream_join_kernel", "stream_kernel"]

# int32 fields of a run: pool token of its segment's first key, that key's position, key range, KV head,
# first row, rows
RUN_FIELDS = tl.constexpr(7)
# runs that are looked through at once for where a worker begins
_SEARCH = tl.constexpr(1024)
_MOST = tl.constexpr(2147483647)


@triton.jit
def _own_tiles(
    lens, rows, window, G: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_N: tl.constexpr, WINDOW: tl.constexpr
):
    # [BLOCK_R], key tiles of each row's own tokens over all KV heads; a row that has none takes part with one
    r = tl.arange(0, BLOCK_R)
    there = tl.load(lens + r, mask=r < rows, other=0)
    tiles = tl.maximum(tl.cdiv(there - own_low(there, window, BLOCK_N, WINDOW), BLOCK_N), 1)
    return tl.where(r < rows, tiles * G, 0)


@triton.jit
def _worker_of(tile, tiles, busy):
    # who has a tile of the line, as in `stream_k.worker_of`
    return (((tile + 1) * busy - 1) // tiles).to(tl.int32)


@triton.jit
def stream_kernel(
    q,
    k_new,
    v_new,
    k_pool,
    v_pool,
    k_scale,
    k_middle,
    v_scale,
    k_own,
    v_own,
    slots,
    own_starts,
    lens,
    runs,
    run_begins,
    run_count,
    part_out,
    part_lse,
    own_out,
    own_lse,
    rows,
    sq_r,
    sq_q,
    sq_h,
    skn_r,
    skn_q,
    skn_g,
    svn_r,
    svn_q,
    svn_g,
    sk_g,
    sk_c,
    sv_g,
    sv_c,
    sks_g,
    svs_g,
    sko_s,
    sko_g,
    sko_t,
    svo_s,
    svo_g,
    svo_t,
    scale,
    softcap,
    window,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    OWN_BLOCK_M: tl.constexpr,
    BLOCK_R: tl.constexpr,
    WORKERS: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
    PDL: tl.constexpr,
):
    """One program per worker takes a stretch of the line: runs of shared segments, then rows' own tokens."""
    if PDL:
        # the join may take its place now; it waits there for all of this launch
        tl.extra.cuda.gdc_launch_dependents()
    worker = tl.program_id(0)
    own_window = window if WRITE else window + Q
    ends = tl.cumsum(_own_tiles(lens, rows, own_window, G, BLOCK_R, BLOCK_N, WINDOW), 0)
    count = tl.load(run_count)
    shared = tl.load(run_begins + count)
    tiles = (shared + tl.max(ends, 0)).to(tl.int64)
    busy = tl.minimum(tiles, WORKERS)
    # past the end of the line for a worker that is one too many
    at = tl.minimum(worker * tiles // busy, tiles).to(tl.int32)
    stop = tl.minimum((worker + 1) * tiles // busy, tiles).to(tl.int32)

    run = at * 0
    for base in range(0, count, _SEARCH):
        number = base + tl.arange(0, _SEARCH)
        run_end = tl.load(run_begins + 1 + number, mask=number < count, other=_MOST)
        run += tl.sum((run_end <= at).to(tl.int32), 0)
    m = tl.arange(0, BLOCK_M)
    q_strides = sq_r, sq_q, sq_h
    pool = k_pool, v_pool, k_scale, k_middle, v_scale
    while at < tl.minimum(stop, shared):
        fields = runs + run * RUN_FIELDS
        first_tile = tl.load(run_begins + run)
        upto = tl.minimum(tl.load(run_begins + run + 1), stop)
        first_key = tl.load(fields + 2)
        live, acc, top, total = attend_segment(
            q,
            pool,
            own_starts,
            lens,
            tl.load(fields).to(tl.int64),
            tl.load(fields + 1),
            first_key + (at - first_tile) * BLOCK_N,
            tl.minimum(first_key + (upto - first_tile) * BLOCK_N, tl.load(fields + 3)),
            tl.load(fields + 4).to(tl.int64),
            tl.load(fields + 5),
            tl.load(fields + 6),
            q_strides,
            (sk_g, sk_c, sv_g, sv_c, sks_g, svs_g),
            scale,
            softcap,
            window,
            Q,
            P,
            D,
            BLOCK_D,
            BLOCK_M,
            BLOCK_N,
            WRITE,
            WINDOW,
            SOFTCAP,
            PRECISION,
            STAGES,
            FORM,
        )
        index = (run + worker) * BLOCK_M + m
        store_partial(part_out, part_lse, index, live, acc, top, total, D, BLOCK_D)
        at = upto
        run += 1

    i = tl.arange(0, OWN_BLOCK_M)
    while at < stop:
        past = ends <= at - shared
        own_row = tl.sum(past.to(tl.int32), 0)
        row_begin = tl.max(tl.where(past, ends, 0), 0)
        row_tiles = (tl.min(tl.where(past, _MOST, ends), 0) - row_begin) // G
        own_head = (at - shared - row_begin) // row_tiles
        tile_number = (at - shared - row_begin) % row_tiles
        taken = tl.minimum(row_tiles - tile_number, stop - at)
        length = tl.load(lens + own_row)
        own_begin = own_low(length, own_window, BLOCK_N, WINDOW) + tile_number * BLOCK_N
        own_live, acc, top, total = attend_row(
            q,
            k_new,
            v_new,
            k_own,
            v_own,
            slots,
            own_row.to(tl.int64),
            own_head.to(tl.int64),
            length,
            own_begin,
            tl.minimum(own_begin + taken * BLOCK_N, length),
            tile_number == 0,
            q_strides,
            (skn_r, skn_q, skn_g, svn_r, svn_q, svn_g),
            (sko_s, sko_g, sko_t, svo_s, svo_g, svo_t),
            scale,
            softcap,
            window,
            Q,
            P,
            D,
            BLOCK_D,
            OWN_BLOCK_M,
            BLOCK_N,
            WRITE,
            WINDOW,
            SOFTCAP,
            PRECISION,
            STAGES,
        )
        index = (own_row * G + own_head + worker) * (Q * P) + i
        store_partial(own_out, own_lse, index, own_live, acc, top, total, D, BLOCK_D)
        at += taken


@triton.jit
def stream_join_kernel(
    out,
    lse,
    part_out,
    part_lse,
    own_out,
    own_lse,
    row_entries,
    entries,
    output_runs,
    runs_by_output,
    run_begins,
    run_count,
    lens,
    sinks,
    rows,
    window,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_J: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_R: tl.constexpr,
    WORKERS: tl.constexpr,
    FOLD: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SINKS: tl.constexpr,
    PDL: tl.constexpr,
):
    """One program per (row, KV head): all fragments of its Q * P queries, always in the same order."""
    row = tl.program_id(0)
    head = tl.program_id(1)
    j = tl.arange(0, BLOCK_J)
    live = j < Q * P
    own = _own_tiles(lens, rows, window if WRITE else window + Q, G, BLOCK_R, BLOCK_N, WINDOW)
    shared = tl.load(run_begins + tl.load(run_count))
    tiles = (shared + tl.sum(own, 0)).to(tl.int64)
    busy = tl.minimum(tiles, WORKERS)
    acc, top, total = nothing_yet(BLOCK_J, BLOCK_D)
    if PDL:
        tl.extra.cuda.gdc_wait()
    for entry in range(tl.load(row_entries + row), tl.load(row_entries + row + 1)):
        output = tl.load(entries + 2 * entry) * G + head
        offset = tl.load(entries + 2 * entry + 1)
        for number in range(tl.load(output_runs + output), tl.load(output_runs + output + 1)):
            run = tl.load(runs_by_output + number)
            first = _worker_of(tl.load(run_begins + run), tiles, busy)
            last = _worker_of(tl.load(run_begins + run + 1) - 1, tiles, busy)
            acc, top, total = fold_run(
                acc,
                top,
                total,
                part_out,
                part_lse,
                run + first,
                last + 1 - first,
                BLOCK_M,
                offset + j,
                live,
                D,
                BLOCK_D,
                FOLD,
            )
    r = tl.arange(0, BLOCK_R)
    mine = tl.sum(tl.where(r == row, own, 0), 0) // G
    begin = shared + tl.sum(tl.where(r < row, own, 0), 0) + head * mine
    first = _worker_of(begin, tiles, busy)
    count = _worker_of(begin + mine - 1, tiles, busy) + 1 - first
    # few rows have so many own tokens that several workers share them
    acc, top, total = fold_run(
        acc, top, total, own_out, own_lse, row * G + head + first, count, Q * P, j, live, D, BLOCK_D, 1
    )
    store_result(
        out, lse, sinks, row, head, j // P, live, acc, top, total, Q, P, G, D, BLOCK_D, BLOCK_J, SINKS
    )
