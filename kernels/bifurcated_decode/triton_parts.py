"""Device functions of the Triton kernels: a stretch of a shared segment, a row's own tokens, their join.

Masks, shapes and logarithms are as in `triton_ops`. Strides come as tuples in the order of their tensor's
dimensions, those of keys before those of values. `pool` is keys and values of the shared tokens and, where
these are in 8 bits (FORM is not ""), scales and middles of keys and scales of values.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.triton_ops import (
    NEG_INF,
    attend_own,
    attend_range,
    fold_run,
    load_queries,
)
from codesample.kernels.bifurcated_decode.triton_packed import attend_packed

__all__ = ["attend_pool", "attend_row", "attend_segment", "fold_segments", "nothing_yet"]


@triton.jit
def nothing_yet(BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr):
    """Return the running softmax before any key: [M, D] sums, [M] maxima and totals."""
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    return acc, tl.full([BLOCK_M], NEG_INF, tl.float32), tl.zeros([BLOCK_M], tl.float32)


@triton.jit
def attend_pool(
    tile,
    live,
    pool,
    pool_strides,
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
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
):
    """Take in keys [begin, end) of a segment that begins with token `start`, of row m from first[m] on."""
    k_pool, v_pool, k_scale, k_middle, v_scale = pool
    sk_g, sk_c, sv_g, sv_c, sks_g, svs_g = pool_strides
    col = tl.arange(0, BLOCK_D)
    stop = tl.zeros_like(first) + end
    if FORM == "":
        return attend_range(
            tile,
            live,
            k_pool + head * sk_g + start * sk_c + col,
            sk_c,
            v_pool + head * sv_g + start * sv_c + col,
            sv_c,
            begin,
            end,
            first,
            stop,
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
        )
    else:
        return attend_packed(
            tile,
            live,
            k_pool + head * sk_g + col,
            sk_c,
            v_pool + head * sv_g + col,
            sv_c,
            k_scale + head * sks_g,
            k_middle + head * sks_g,
            v_scale + head * svs_g,
            start,
            begin,
            end,
            first,
            stop,
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


@triton.jit
def attend_segment(
    q,
    pool,
    own_starts,
    lens,
    start,
    position,
    begin,
    end,
    head,
    first_row,
    rows,
    q_strides,
    pool_strides,
    scale,
    softcap,
    window,
    Q: tl.constexpr,
    P: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
):
    """Attend some rows to keys [begin, end) of a segment; also says which packed query rows [M] these are."""
    sq_r, sq_q, sq_h = q_strides
    m = tl.arange(0, BLOCK_M)
    query = (m // P) % Q
    row = first_row + m // (Q * P)
    live = m < rows * (Q * P)
    tile = load_queries(q, row, query, head * P + m % P, live, sq_r, sq_q, sq_h, D, BLOCK_D)
    first = tl.zeros([BLOCK_M], tl.int32)
    if WINDOW:
        at = tl.load(own_starts + row, mask=live, other=0) + tl.load(lens + row, mask=live, other=0)
        first = at + query + 1 - window - position
        if not WRITE:
            first = first - Q
        lowest = tl.min(tl.where(live, first, end))
        begin = tl.maximum(begin, lowest // BLOCK_N * BLOCK_N)
    acc, top, total = nothing_yet(BLOCK_M, BLOCK_D)
    acc, top, total = attend_pool(
        tile,
        live,
        pool,
        pool_strides,
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
    return live, acc, top, total


@triton.jit
def attend_row(
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
    leads,
    q_strides,
    new_strides,
    own_strides,
    scale,
    softcap,
    window,
    Q: tl.constexpr,
    P: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Attend one row to its stored tokens [begin, end); who leads also writes the new ones and sees them."""
    sq_r, sq_q, sq_h = q_strides
    skn_r, skn_q, skn_g, svn_r, svn_q, svn_g = new_strides
    sko_s, sko_g, sko_t, svo_s, svo_g, svo_t = own_strides
    m = tl.arange(0, BLOCK_M)
    col = tl.arange(0, BLOCK_D)
    query = m // P
    live = m < Q * P
    slot = tl.load(slots + row).to(tl.int64)
    tile = load_queries(q, row, query, head * P + m % P, live, sq_r, sq_q, sq_h, D, BLOCK_D)
    acc, top, total = nothing_yet(BLOCK_M, BLOCK_D)
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
        begin,
        end,
        leads,
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
    return live, acc, top, total


@triton.jit
def fold_segments(
    acc,
    top,
    total,
    part_out,
    part_lse,
    row_entries,
    entries,
    partials,
    row,
    head,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_J: tl.constexpr,
    BLOCK_M: tl.constexpr,
    FOLD: tl.constexpr,
):
    """Take in all that was found of a row's segments, by position and key."""
    j = tl.arange(0, BLOCK_J)
    live = j < Q * P
    for entry in range(tl.load(row_entries + row), tl.load(row_entries + row + 1)):
        tile = tl.load(entries + 2 * entry) * G + head
        offset = tl.load(entries + 2 * entry + 1)
        first = tl.load(partials + tile)
        count = tl.load(partials + tile + 1) - first
        acc, top, total = fold_run(
            acc, top, total, part_out, part_lse, first, count, BLOCK_M, offset + j, live, D, BLOCK_D, FOLD
        )
    return acc, top, total
