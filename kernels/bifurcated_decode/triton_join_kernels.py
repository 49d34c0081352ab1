"""The Triton kernels of the second launch: all that was found of a row, and maybe its own tokens.

Masks, shapes and logarithms are as in `triton_ops`.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.triton_ops import fold_run, own_low, store_result
from codesample.kernels.bifurcated_decode.triton_parts import attend_row, fold_segments, nothing_yet

__all__ = ["join_kernel", "own_join_kernel"]


@triton.jit
def join_kernel(
    out,
    lse,
    part_out,
    part_lse,
    own_out,
    own_lse,
    row_entries,
    entries,
    partials,
    sinks,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_J: tl.constexpr,
    BLOCK_M: tl.constexpr,
    SPLITS: tl.constexpr,
    FOLD: tl.constexpr,
    SINKS: tl.constexpr,
):
    """One program per (row, KV head): all partial results of its Q * P queries, always in the same order."""
    row = tl.program_id(0)
    head = tl.program_id(1)
    j = tl.arange(0, BLOCK_J)
    live = j < Q * P
    acc, top, total = nothing_yet(BLOCK_J, BLOCK_D)
    acc, top, total = fold_segments(
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
        Q,
        P,
        G,
        D,
        BLOCK_D,
        BLOCK_J,
        BLOCK_M,
        FOLD,
    )
    first = (row * G + head) * SPLITS
    own_fold: tl.constexpr = FOLD if SPLITS > 1 else 1
    acc, top, total = fold_run(
        acc, top, total, own_out, own_lse, first, SPLITS, Q * P, j, live, D, BLOCK_D, own_fold
    )
    store_result(
        out, lse, sinks, row, head, j // P, live, acc, top, total, Q, P, G, D, BLOCK_D, BLOCK_J, SINKS
    )


@triton.jit
def own_join_kernel(
    q,
    k_new,
    v_new,
    k_own,
    v_own,
    slots,
    lens,
    out,
    lse,
    part_out,
    part_lse,
    row_entries,
    entries,
    partials,
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
    BLOCK_J: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    OWN_BLOCK_M: tl.constexpr,
    FOLD: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    SINKS: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    PDL: tl.constexpr,
):
    """One program per (row, KV head): own tokens first, then what the first launch found of its segments."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    length = tl.load(lens + row)
    _, acc, top, total = attend_row(
        q,
        k_new,
        v_new,
        k_own,
        v_own,
        slots,
        row,
        head,
        length,
        own_low(length, window if WRITE else window + Q, BLOCK_N, WINDOW),
        length,
        True,
        (sq_r, sq_q, sq_h),
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
    # a product pads its rows; those beyond the first BLOCK_J are zeros and -inf
    acc = tl.sum(tl.reshape(acc, [OWN_BLOCK_M // BLOCK_J, BLOCK_J, BLOCK_D]), 0)
    top = tl.max(tl.reshape(top, [OWN_BLOCK_M // BLOCK_J, BLOCK_J]), 0)
    total = tl.sum(tl.reshape(total, [OWN_BLOCK_M // BLOCK_J, BLOCK_J]), 0)
    if PDL:
        # every program waits, also one without segments: the next launch then follows both
        tl.extra.cuda.gdc_wait()
    acc, top, total = fold_segments(
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
        Q,
        P,
        G,
        D,
        BLOCK_D,
        BLOCK_J,
        BLOCK_M,
        FOLD,
    )
    j = tl.arange(0, BLOCK_J)
    store_result(
        out, lse, sinks, row, head, j // P, j < Q * P, acc, top, total, Q, P, G, D, BLOCK_D, BLOCK_J, SINKS
    )
