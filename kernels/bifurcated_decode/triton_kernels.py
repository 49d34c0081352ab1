"""The Triton kernels that read shared segments: parts of the keys, or all of a row's keys at once.

Masks, shapes and logarithms are as in `triton_ops`.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.triton_ops import (
    attend_own,
    load_queries,
    own_low,
    own_split,
    store_partial,
    store_result,
)
from codesample.kernels.bifurcated_decode.triton_parts import (
    attend_pool,
    attend_row,
    attend_segment,
    nothing_yet,
)

__all__ = ["ITEM_FIELDS", "parts_kernel", "single_kernel"]

# int32 fields of a shared item: pool token of its segment's first key, that key's position, key range,
# KV head, first row, rows, number of its partial result
ITEM_FIELDS = tl.constexpr(8)


@triton.jit
def parts_kernel(
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
    items,
    worker_items,
    part_out,
    part_lse,
    own_out,
    own_lse,
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
    WORKERS: tl.constexpr,
    SPLITS: tl.constexpr,
    SPLIT_KEYS: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
    PDL: tl.constexpr,
):
    """Programs [0, WORKERS) divide the shared part; if SPLITS, others take (row, KV head, own split)s."""
    if PDL:
        # the join may take its place now; it waits there for all of this launch
        tl.extra.cuda.gdc_launch_dependents()
    program = tl.program_id(0)
    q_strides = sq_r, sq_q, sq_h
    pool = k_pool, v_pool, k_scale, k_middle, v_scale
    if program < WORKERS:
        m = tl.arange(0, BLOCK_M)
        for number in range(tl.load(worker_items + program), tl.load(worker_items + program + 1)):
            item = items + number * ITEM_FIELDS
            partial = tl.load(item + 7)
            live, acc, top, total = attend_segment(
                q,
                pool,
                own_starts,
                lens,
                tl.load(item).to(tl.int64),
                tl.load(item + 1),
                tl.load(item + 2),
                tl.load(item + 3),
                tl.load(item + 4).to(tl.int64),
                tl.load(item + 5),
                tl.load(item + 6),
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
            store_partial(part_out, part_lse, partial * BLOCK_M + m, live, acc, top, total, D, BLOCK_D)
    elif SPLITS > 0:
        own = program - WORKERS
        split = own % SPLITS
        head = (own // SPLITS % G).to(tl.int64)
        row = (own // (SPLITS * G)).to(tl.int64)
        length = tl.load(lens + row)
        begin, end = own_split(
            length, split, window if WRITE else window + Q, SPLITS, SPLIT_KEYS, BLOCK_N, WINDOW
        )
        live, acc, top, total = attend_row(
            q,
            k_new,
            v_new,
            k_own,
            v_own,
            slots,
            row,
            head,
            length,
            begin,
            end,
            split == 0,
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
        index = own * (Q * P) + tl.arange(0, OWN_BLOCK_M)
        store_partial(own_out, own_lse, index, live, acc, top, total, D, BLOCK_D)


@triton.jit
def single_kernel(
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
    row_entries,
    entries,
    out,
    lse,
    sinks,
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
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    SINKS: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
):
    """One program per (row, KV head) reads all that the row sees: ordinary attention, nothing to join."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    m = tl.arange(0, BLOCK_M)
    col = tl.arange(0, BLOCK_D)
    live = m < Q * P
    query = m // P
    length = tl.load(lens + row)
    slot = tl.load(slots + row).to(tl.int64)
    tile = load_queries(q, row, query, head * P + m % P, live, sq_r, sq_q, sq_h, D, BLOCK_D)
    acc, top, total = nothing_yet(BLOCK_M, BLOCK_D)
    for entry in range(tl.load(row_entries + row), tl.load(row_entries + row + 1)):
        start = tl.load(entries + 3 * entry).to(tl.int64)
        end = tl.load(entries + 3 * entry + 2)
        begin = 0
        first = tl.zeros([BLOCK_M], tl.int32)
        if WINDOW:
            lowest = tl.load(own_starts + row) + length + 1 - window - tl.load(entries + 3 * entry + 1)
            if not WRITE:
                lowest = lowest - Q
            first = lowest + query
            begin = tl.maximum(lowest // BLOCK_N * BLOCK_N, 0)
        acc, top, total = attend_pool(
            tile,
            live,
            (k_pool, v_pool, k_scale, k_middle, v_scale),
            (sk_g, sk_c, sv_g, sv_c, sks_g, svs_g),
            head,
            start,
            begin,
            end,
            first,
            acc,
            top,
            total,
            scale,
            softcap,
            D,
            BLOCK_D,
            BLOCK_N,
            WINDOW,
            SOFTCAP,
            PRECISION,
            STAGES,
            FORM,
        )
    acc, top, total = attend_own(
        tile,
        live,
        query,
        acc,
        top,
        total,
        k_new + row * skn_r + head * skn_g + col,
        v_new + row * svn_r + head * svn_g + col,
        skn_q,
        svn_q,
        k_own + slot * sko_s + head * sko_g + col,
        v_own + slot * svo_s + head * svo_g + col,
        sko_t,
        svo_t,
        length,
        own_low(length, window if WRITE else window + Q, BLOCK_N, WINDOW),
        length,
        True,
        scale,
        softcap,
        window,
        Q,
        D,
        BLOCK_D,
        BLOCK_N,
        WRITE,
        WINDOW,
        SOFTCAP,
        PRECISION,
        STAGES,
    )
    store_result(
        out, lse, sinks, row, head, query, live, acc, top, total, Q, P, G, D, BLOCK_D, BLOCK_M, SINKS
    )
