"""Triton backend: one launch reads every key once per row tile, a second joins the partial results.

The first launch has a fixed grid: workers that share the context by a schedule made on the host once per
set of live rows, then one program per row, KV head and split for the rows' own tokens, which also writes
the new ones. Lengths are read on the device, so a captured CUDA graph stays valid while they grow.
Partial results are fp32 with base-2 logarithms and joined in a fixed order: by level, keys, split.
Limits: fp32, bf16 or fp16; head width up to 256; Q * H / G up to 128; compute capability 8.0 and above.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.api import DecodeOutput, LayerStore
from codesample.kernels.bifurcated_decode.cost import Tiling, choose_tiling
from codesample.kernels.bifurcated_decode.plan import DecodePlan
from codesample.kernels.bifurcated_decode.schedule import Schedule, divide_context

__all__ = ["Launch", "decode", "launches", "tiling_for"]

_LOG2_E = tl.constexpr(1.4426950408889634)
_LN_2 = tl.constexpr(0.6931471805599453)
_NEG_INF = tl.constexpr(float("-inf"))
# int32 fields of an item: pool token of its segment's first key, its position, key range, head, rows, partial
_ITEM_FIELDS = tl.constexpr(8)


@triton.jit
def _bend(scores, scale, softcap, SOFTCAP: tl.constexpr):
    # raw products to base-2 logits; tanh through exp2, which saturates without overflow
    if SOFTCAP:
        grown = tl.exp2(scores * (scale * 2.0 / softcap * _LOG2_E))
        return softcap * _LOG2_E * (1.0 - 2.0 / (1.0 + grown))
    return scores * (scale * _LOG2_E)


@triton.jit
def _take_in(q, k, v, seen, acc, top, total, scale, softcap, SOFTCAP: tl.constexpr, PRECISION: tl.constexpr):
    # one tile of keys into the running softmax of [M] rows; q [M, D], k and v [N, D], seen [M, N]
    scores = tl.dot(q, tl.trans(k), input_precision=PRECISION)
    scores = tl.where(seen, _bend(scores, scale, softcap, SOFTCAP), _NEG_INF)
    new_top = tl.maximum(top, tl.max(scores, 1))
    # a row that has seen no key yet: -inf minus -inf would be NaN
    base = tl.where(new_top == _NEG_INF, 0.0, new_top)
    weights = tl.exp2(scores - base[:, None])
    keep = tl.exp2(top - base)
    total = total * keep + tl.sum(weights, 1)
    acc = tl.dot(weights.to(v.dtype), v, acc * keep[:, None], input_precision=PRECISION)
    return acc, new_top, total


@triton.jit
def _take_in_one(
    q,
    k,
    v,
    seen,
    acc,
    top,
    total,
    scale,
    softcap,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    SOFTCAP: tl.constexpr,
):
    # one key, k and v [D], into the running softmax of [M] rows; seen [M]
    inside = (tl.arange(0, BLOCK_D) < D)[None, :]
    products = tl.where(inside, q.to(tl.float32) * k.to(tl.float32)[None, :], 0.0)
    scores = tl.where(seen, _bend(tl.sum(products, 1), scale, softcap, SOFTCAP), _NEG_INF)
    new_top = tl.maximum(top, scores)
    base = tl.where(new_top == _NEG_INF, 0.0, new_top)
    weight = tl.exp2(scores - base)
    keep = tl.exp2(top - base)
    acc = acc * keep[:, None] + weight[:, None] * v.to(tl.float32)[None, :]
    return acc, new_top, total * keep + weight


@triton.jit
def _store_partial(out, lse, index, live, acc, top, total, D: tl.constexpr, BLOCK_D: tl.constexpr):
    col = tl.arange(0, BLOCK_D)
    some = tl.where(total > 0.0, total, 1.0)
    at = index.to(tl.int64)[:, None] * D + col[None, :]
    tl.store(out + at, acc / some[:, None], mask=live[:, None] & (col < D)[None, :])
    tl.store(lse + index, tl.where(total > 0.0, top + tl.log2(some), _NEG_INF), mask=live)


@triton.jit
def _context_item(
    q,
    k_pool,
    v_pool,
    item,
    lens,
    context_lens,
    part_out,
    part_lse,
    sq_r,
    sq_q,
    sq_h,
    sk_g,
    sk_c,
    sv_g,
    sv_c,
    scale,
    softcap,
    window,
    STORED_OFFSET: tl.constexpr,
    Q: tl.constexpr,
    P: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    start = tl.load(item).to(tl.int64)
    position = tl.load(item + 1)
    begin = tl.load(item + 2)
    end = tl.load(item + 3)
    head = tl.load(item + 4)
    row_start = tl.load(item + 5)
    rows = tl.load(item + 6)
    partial = tl.load(item + 7)
    m = tl.arange(0, BLOCK_M)
    n = tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_D)
    live = m < rows * (Q * P)
    row = row_start + m // (Q * P)
    query = (m // P) % Q
    at = row.to(tl.int64) * sq_r + query * sq_q + (head * P + m % P) * sq_h
    tile = tl.load(q + at[:, None] + col[None, :], mask=live[:, None] & (col < D)[None, :], other=0.0)
    first = tl.zeros([BLOCK_M], tl.int32)
    if WINDOW:
        # first visible key of the segment; begin on a tile that somebody sees
        stored = tl.load(lens + row, mask=live, other=0) + STORED_OFFSET
        first = tl.load(context_lens + row, mask=live, other=0) + stored + query - window + 1 - position
        lowest = tl.min(tl.where(live, first, end))
        begin = tl.maximum(begin, lowest // BLOCK_N * BLOCK_N)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    top = tl.full([BLOCK_M], _NEG_INF, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    k_at = k_pool + head.to(tl.int64) * sk_g + start * sk_c + col[None, :]
    v_at = v_pool + head.to(tl.int64) * sv_g + start * sv_c + col[None, :]
    for key in tl.range(begin, end, BLOCK_N, num_stages=STAGES):
        keys = key + n
        inside = (keys < end)[:, None] & (col < D)[None, :]
        k = tl.load(k_at + keys.to(tl.int64)[:, None] * sk_c, mask=inside, other=0.0)
        v = tl.load(v_at + keys.to(tl.int64)[:, None] * sv_c, mask=inside, other=0.0)
        seen = live[:, None] & (keys < end)[None, :]
        if WINDOW:
            seen = seen & (keys[None, :] >= first[:, None])
        acc, top, total = _take_in(tile, k, v, seen, acc, top, total, scale, softcap, SOFTCAP, PRECISION)
    _store_partial(part_out, part_lse, partial * BLOCK_M + m, live, acc, top, total, D, BLOCK_D)


@triton.jit
def _own_range(stored, split, window, SPLITS: tl.constexpr, BLOCK_N: tl.constexpr, WINDOW: tl.constexpr):
    # stored tokens that split number `split` reads; the first split is never idle, it has the new tokens
    low = 0
    if WINDOW:
        low = tl.maximum(stored + 1 - window, 0) // BLOCK_N * BLOCK_N
    share = tl.cdiv(tl.cdiv(stored - low, BLOCK_N), SPLITS) * BLOCK_N
    begin = low + split * share
    return begin, tl.minimum(begin + share, stored)


@triton.jit
def _decode_item(
    q,
    k_new,
    v_new,
    k_own,
    v_own,
    slots,
    lens,
    row,
    head,
    split,
    part_out,
    part_lse,
    sq_r,
    sq_q,
    sq_h,
    skn_r,
    skn_q,
    skn_g,
    svn_r,
    svn_q,
    svn_g,
    ska_s,
    ska_g,
    ska_t,
    sva_s,
    sva_g,
    sva_t,
    scale,
    softcap,
    window,
    STORED_OFFSET: tl.constexpr,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    SPLITS: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    m = tl.arange(0, BLOCK_M)
    n = tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_D)
    live = m < Q * P
    query = m // P
    stored = tl.load(lens + row) + STORED_OFFSET
    slot = tl.load(slots + row).to(tl.int64)
    at = row.to(tl.int64) * sq_r + query * sq_q + (head * P + m % P) * sq_h
    tile = tl.load(q + at[:, None] + col[None, :], mask=live[:, None] & (col < D)[None, :], other=0.0)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    top = tl.full([BLOCK_M], _NEG_INF, tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    k_at = k_own + slot * ska_s + head.to(tl.int64) * ska_g + col
    v_at = v_own + slot * sva_s + head.to(tl.int64) * sva_g + col
    # tokens that were there before this call; without new ones they include the queries' own
    there = stored if WRITE else stored + Q
    begin, end = _own_range(there, split, window if WRITE else window + Q, SPLITS, BLOCK_N, WINDOW)
    # one test at compile time, one at run time: `and` would compile this where there are no new tokens
    if WRITE:  # noqa: SIM102
        if split == 0:
            for new in tl.static_range(Q):
                token = (stored + new).to(tl.int64)
                k = tl.load(k_new + row.to(tl.int64) * skn_r + new * skn_q + head * skn_g + col, mask=col < D)
                v = tl.load(v_new + row.to(tl.int64) * svn_r + new * svn_q + head * svn_g + col, mask=col < D)
                tl.store(k_at + token * ska_t, k, mask=col < D)
                tl.store(v_at + token * sva_t, v, mask=col < D)
                seen = live & (query >= new)
                if WINDOW:
                    seen = seen & (query - new < window)
                acc, top, total = _take_in_one(
                    tile, k, v, seen, acc, top, total, scale, softcap, D, BLOCK_D, SOFTCAP
                )
    for key in tl.range(begin, end, BLOCK_N, num_stages=STAGES):
        keys = key + n
        inside = (keys < end)[:, None] & (col < D)[None, :]
        k = tl.load(k_at[None, :] + keys.to(tl.int64)[:, None] * ska_t, mask=inside, other=0.0)
        v = tl.load(v_at[None, :] + keys.to(tl.int64)[:, None] * sva_t, mask=inside, other=0.0)
        seen = live[:, None] & (keys < end)[None, :] & (keys[None, :] <= (stored + query)[:, None])
        if WINDOW:
            seen = seen & ((stored + query)[:, None] - keys[None, :] < window)
        acc, top, total = _take_in(tile, k, v, seen, acc, top, total, scale, softcap, SOFTCAP, PRECISION)
    if (split == 0) | (begin < there):
        index = ((row * G + head) * SPLITS + split) * (Q * P) + m
        _store_partial(part_out, part_lse, index, live, acc, top, total, D, BLOCK_D)


@triton.jit
def _parts_kernel(
    q,
    k_new,
    v_new,
    k_pool,
    v_pool,
    k_own,
    v_own,
    slots,
    context_lens,
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
    ska_s,
    ska_g,
    ska_t,
    sva_s,
    sva_g,
    sva_t,
    scale,
    softcap,
    window,
    STORED_OFFSET: tl.constexpr,
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
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    # programs [0, WORKERS) share the context; the rest are one per (row, KV head, split)
    program = tl.program_id(0)
    if program < WORKERS:
        for number in range(tl.load(worker_items + program), tl.load(worker_items + program + 1)):
            _context_item(
                q,
                k_pool,
                v_pool,
                items + number * _ITEM_FIELDS,
                lens,
                context_lens,
                part_out,
                part_lse,
                sq_r,
                sq_q,
                sq_h,
                sk_g,
                sk_c,
                sv_g,
                sv_c,
                scale,
                softcap,
                window,
                STORED_OFFSET,
                Q,
                P,
                D,
                BLOCK_D,
                BLOCK_M,
                BLOCK_N,
                WINDOW,
                SOFTCAP,
                PRECISION,
                STAGES,
            )
    else:
        own = program - WORKERS
        _decode_item(
            q,
            k_new,
            v_new,
            k_own,
            v_own,
            slots,
            lens,
            own // (SPLITS * G),
            own // SPLITS % G,
            own % SPLITS,
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
            ska_s,
            ska_g,
            ska_t,
            sva_s,
            sva_g,
            sva_t,
            scale,
            softcap,
            window,
            STORED_OFFSET,
            Q,
            P,
            G,
            D,
            BLOCK_D,
            OWN_BLOCK_M,
            BLOCK_N,
            SPLITS,
            WRITE,
            WINDOW,
            SOFTCAP,
            PRECISION,
            STAGES,
        )


@triton.jit
def _fold(acc, top, total, part_out, part_lse, index, live, D: tl.constexpr, BLOCK_D: tl.constexpr):
    col = tl.arange(0, BLOCK_D)
    lse = tl.load(part_lse + index, mask=live, other=_NEG_INF)
    at = index.to(tl.int64)[:, None] * D + col[None, :]
    out = tl.load(part_out + at, mask=live[:, None] & (col < D)[None, :], other=0.0)
    new_top = tl.maximum(top, lse)
    base = tl.where(new_top == _NEG_INF, 0.0, new_top)
    weight = tl.exp2(lse - base)
    keep = tl.exp2(top - base)
    return acc * keep[:, None] + out * weight[:, None], new_top, total * keep + weight


@triton.jit
def _join_kernel(
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
    lens,
    window,
    STORED_OFFSET: tl.constexpr,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_J: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    SPLITS: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SINKS: tl.constexpr,
):
    # one program per (row, KV head): all partial results of its Q * P queries, always in the same order
    row = tl.program_id(0)
    head = tl.program_id(1)
    j = tl.arange(0, BLOCK_J)
    col = tl.arange(0, BLOCK_D)
    live = j < Q * P
    acc = tl.zeros([BLOCK_J, BLOCK_D], tl.float32)
    top = tl.full([BLOCK_J], _NEG_INF, tl.float32)
    total = tl.zeros([BLOCK_J], tl.float32)
    for entry in range(tl.load(row_entries + row), tl.load(row_entries + row + 1)):
        tile = tl.load(entries + 2 * entry) * G + head
        offset = tl.load(entries + 2 * entry + 1)
        for partial in range(tl.load(partials + tile), tl.load(partials + tile + 1)):
            index = partial * BLOCK_M + offset + j
            acc, top, total = _fold(acc, top, total, part_out, part_lse, index, live, D, BLOCK_D)
    there = tl.load(lens + row) + STORED_OFFSET + (0 if WRITE else Q)
    for split in range(SPLITS):
        begin, _ = _own_range(there, split, window if WRITE else window + Q, SPLITS, BLOCK_N, WINDOW)
        if (split == 0) | (begin < there):
            index = ((row * G + head) * SPLITS + split) * (Q * P) + j
            acc, top, total = _fold(acc, top, total, own_out, own_lse, index, live, D, BLOCK_D)
    if SINKS:
        sink = tl.load(sinks + head * P + j % P, mask=live, other=0.0).to(tl.float32) * _LOG2_E
        new_top = tl.maximum(top, sink)
        base = tl.where(new_top == _NEG_INF, 0.0, new_top)
        keep = tl.exp2(top - base)
        acc = acc * keep[:, None]
        total = total * keep + tl.exp2(sink - base)
        top = new_top
    some = tl.where(total > 0.0, total, 1.0)
    index = (row.to(tl.int64) * Q + j // P) * (G * P) + head * P + j % P
    at = index[:, None] * D + col[None, :]
    tl.store(
        out + at, (acc / some[:, None]).to(out.dtype.element_ty), mask=live[:, None] & (col < D)[None, :]
    )
    tl.store(lse + index, tl.where(total > 0.0, (top + tl.log2(some)) * _LN_2, _NEG_INF), mask=live)


class _Work(NamedTuple):
    # the schedule on the device, and room for the partial results of one layer
    items: torch.Tensor
    worker_items: torch.Tensor
    partials: torch.Tensor
    row_entries: torch.Tensor
    entries: torch.Tensor
    part_out: torch.Tensor
    part_lse: torch.Tensor
    own_out: torch.Tensor
    own_lse: torch.Tensor


class Launch(NamedTuple):
    """One kernel launch, complete: `kernel[grid](*arguments, **constants, num_warps=warps)`."""

    kernel: Any
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    constants: dict[str, Any]
    warps: int


def decode(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
    tiling: Tiling | None = None,
) -> DecodeOutput:
    """Do what `bifurcated_decode` states; `tiling` overrides the cost model's choice."""
    q, k_new, v_new = (x if x is None or x.stride(-1) == 1 else x.contiguous() for x in (q, k_new, v_new))
    if tiling is None:
        tiling = tiling_for(q, store, plan, multiprocessors=_multiprocessors(q.device))
    result = DecodeOutput(
        torch.empty(q.shape, dtype=q.dtype, device=q.device),
        torch.empty(q.shape[:3], dtype=torch.float32, device=q.device),
    )
    options = {"scale": scale, "window": window, "softcap": softcap, "sinks": sinks}
    for kernel, grid, arguments, constants, warps in launches(
        q, k_new, v_new, store, plan, lens, result, tiling, **options
    ):
        kernel[grid](*arguments, **constants, num_warps=warps)
    return result


def tiling_for(q: torch.Tensor, store: LayerStore, plan: DecodePlan, *, multiprocessors: int) -> Tiling:
    """Choose the tiling once per plan and shape."""
    _, queries, heads, width = q.shape
    kv_heads, capacity = store.k_decode.shape[1:3]
    shape = (queries, heads // kv_heads, kv_heads, width, q.element_size(), capacity, multiprocessors)
    return plan.memo(("tiling", shape), lambda: choose_tiling(plan, *shape))


def launches(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    result: DecodeOutput,
    tiling: Tiling,
    *,
    scale: float,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> tuple[Launch, Launch]:
    """Spell out both launches of a call, whatever its tensors' device; nothing runs yet."""
    rows, queries, heads, width = q.shape
    kv_heads = store.k_shared.shape[0]
    group = heads // kv_heads
    work = plan.memo(
        ("work", tiling, queries, group, kv_heads, width),
        lambda: _prepare(plan, tiling, queries * group, kv_heads, width),
    )
    new = (q, q) if k_new is None or v_new is None else (k_new, v_new)
    shape = {
        "STORED_OFFSET": 0 if k_new is not None else -queries,
        "Q": queries,
        "P": group,
        "G": kv_heads,
        "D": width,
        "BLOCK_D": triton.next_power_of_2(width),
        "BLOCK_M": tiling.block_m,
        "BLOCK_N": tiling.block_n,
        "SPLITS": tiling.splits,
        "WRITE": k_new is not None,
        "WINDOW": window is not None,
    }
    parts = Launch(
        _parts_kernel,
        (tiling.workers + rows * kv_heads * tiling.splits,),
        (
            q,
            *new,
            *store,
            plan.slots_on_device,
            plan.context_lens_on_device,
            lens,
            work.items,
            work.worker_items,
            work.part_out,
            work.part_lse,
            work.own_out,
            work.own_lse,
            *q.stride()[:3],
            *new[0].stride()[:3],
            *new[1].stride()[:3],
            *store.k_shared.stride()[:2],
            *store.v_shared.stride()[:2],
            *store.k_decode.stride()[:3],
            *store.v_decode.stride()[:3],
            scale,
            softcap or 1.0,
            window or 0,
        ),
        {
            **shape,
            "OWN_BLOCK_M": tiling.own_block_m,
            "WORKERS": tiling.workers,
            "SOFTCAP": softcap is not None,
            "PRECISION": "ieee" if q.dtype == torch.float32 else "tf32",
            "STAGES": tiling.stages,
        },
        tiling.warps,
    )
    own = (work.own_out, work.own_lse)
    tables = (work.row_entries, work.entries, work.partials)
    join = Launch(
        _join_kernel,
        (rows, kv_heads),
        (
            *result,
            work.part_out,
            work.part_lse,
            *own,
            *tables,
            result.lse if sinks is None else sinks,
            lens,
            window or 0,
        ),
        {**shape, "BLOCK_J": triton.next_power_of_2(queries * group), "SINKS": sinks is not None},
        tiling.join_warps,
    )
    return parts, join


def _multiprocessors(device: torch.device) -> int:
    # the interpreter has no device; a few workers there exercise every path
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 3


def _prepare(plan: DecodePlan, tiling: Tiling, per_row: int, kv_heads: int, width: int) -> _Work:
    schedule = divide_context(
        plan.segments,
        rows=plan.rows,
        kv_heads=kv_heads,
        rows_per_tile=tiling.block_m // per_row,
        block_n=tiling.block_n,
        workers=tiling.busy_workers,
    )
    idle = [len(schedule.items)] * (tiling.workers - tiling.busy_workers)
    row_entries, entries = [0], []
    for row, tiles in enumerate(schedule.row_tiles):
        entries += [(tile, (row - schedule.tiles[tile].row_start) * per_row) for tile in tiles]
        row_entries.append(len(entries))

    def table(values: Any, columns: int) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int32).reshape(-1, columns).to(plan.device)

    def room(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.float32, device=plan.device)

    partial_rows = len(schedule.items) * tiling.block_m
    own_rows = plan.rows * kv_heads * tiling.splits * per_row
    return _Work(
        items=table(_fields(plan, schedule), _ITEM_FIELDS.value),
        worker_items=table([*schedule.worker_items, *idle], 1),
        partials=table(schedule.partials, 1),
        row_entries=table(row_entries, 1),
        entries=table(entries, 2),
        part_out=room(partial_rows, width),
        part_lse=room(partial_rows),
        own_out=room(own_rows, width),
        own_lse=room(own_rows),
    )


def _fields(plan: DecodePlan, schedule: Schedule) -> list[tuple[int, ...]]:
    fields = []
    for item in schedule.items:
        tile = schedule.tiles[item.tile]
        s = plan.segments[tile.segment]
        rows = tile.row_stop - tile.row_start
        fields.append(
            (s.start, s.position, item.key_begin, item.key_end, item.head, tile.row_start, rows, item.partial)
        )
    return fields
