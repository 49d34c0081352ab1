"""Device functions of the Triton kernels: a range of keys into a running softmax, results out.

Shapes in comments: M packed query rows (row, query, query head of one KV head), N keys, D head width. The
softmax runs on base-2 logits in fp32; natural logarithms appear where results leave. Row, slot and token
numbers are widened to int64 before they meet a stride.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

__all__ = [
    "NEG_INF",
    "attend_own",
    "attend_range",
    "fold",
    "fold_run",
    "load_queries",
    "own_low",
    "own_split",
    "store_partial",
    "store_result",
    "take_in",
]

NEG_INF = tl.constexpr(float("-inf"))
_LOG2_E = tl.constexpr(1.4426950408889634)
_LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _bend(products, scale, softcap, SOFTCAP: tl.constexpr):
    # products to base-2 logits; tanh by exp2, which saturates without overflow
    if SOFTCAP:
        grown = tl.exp2(products * (scale * 2.0 / softcap * _LOG2_E))
        return softcap * _LOG2_E * (1.0 - 2.0 / (1.0 + grown))
    return products * (scale * _LOG2_E)


@triton.jit
def _raise_top(top, candidate):
    # the new maximum, the base to subtract, and the factor that rescales sums kept so far
    new_top = tl.maximum(top, candidate)
    # a row that has seen no key yet: -inf minus -inf would be NaN
    base = tl.where(new_top == NEG_INF, 0.0, new_top)
    return new_top, base, tl.exp2(top - base)


@triton.jit
def load_queries(q, row, query, head_of_row, live, sq_r, sq_q, sq_h, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Load [M, D] queries, 0 outside `live` rows."""
    col = tl.arange(0, BLOCK_D)
    at = row.to(tl.int64) * sq_r + query * sq_q + head_of_row * sq_h
    return tl.load(q + at[:, None] + col[None, :], mask=live[:, None] & (col < D)[None, :], other=0.0)


@triton.jit
def take_in(
    tile, k, v, seen, acc, top, total, scale, softcap, SOFTCAP: tl.constexpr, PRECISION: tl.constexpr
):
    """Take keys and values [N, D] into the softmax, of which `seen` [M, N] says who sees which."""
    products = tl.dot(tile, tl.trans(k), input_precision=PRECISION)
    scores = tl.where(seen, _bend(products, scale, softcap, SOFTCAP), NEG_INF)
    top, base, keep = _raise_top(top, tl.max(scores, 1))
    weights = tl.exp2(scores - base[:, None])
    total = total * keep + tl.sum(weights, 1)
    acc = tl.dot(weights.to(v.dtype), v, acc * keep[:, None], input_precision=PRECISION)
    return acc, top, total


@triton.jit
def attend_range(
    tile,
    live,
    k_at,
    sk_t,
    v_at,
    sv_t,
    begin,
    end,
    first,
    stop,
    acc,
    top,
    total,
    scale,
    softcap,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BOUNDED: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Take in keys [begin, end) at k_at, v_at [D]; if BOUNDED, row m sees those in [first[m], stop[m])."""
    n = tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_D)
    for key in tl.range(begin, end, BLOCK_N, num_stages=STAGES):
        keys = key + n
        inside = (keys < end)[:, None] & (col < D)[None, :]
        at = keys.to(tl.int64)[:, None]
        k = tl.load(k_at[None, :] + at * sk_t, mask=inside, other=0.0)
        v = tl.load(v_at[None, :] + at * sv_t, mask=inside, other=0.0)
        seen = live[:, None] & (keys < end)[None, :]
        if BOUNDED:
            seen = seen & (keys[None, :] >= first[:, None]) & (keys[None, :] < stop[:, None])
        acc, top, total = take_in(tile, k, v, seen, acc, top, total, scale, softcap, SOFTCAP, PRECISION)
    return acc, top, total


@triton.jit
def own_low(there, window, BLOCK_N: tl.constexpr, WINDOW: tl.constexpr):
    """Return where reading `there` stored tokens begins: at the tile of the first one that anybody sees."""
    low = there * 0
    if WINDOW:
        low = tl.maximum(there + 1 - window, 0) // BLOCK_N * BLOCK_N
    return low


@triton.jit
def own_split(
    there,
    split,
    window,
    SPLITS: tl.constexpr,
    SPLIT_KEYS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WINDOW: tl.constexpr,
):
    """Return which stored tokens split number `split` reads: SPLIT_KEYS of them, or an equal share if 0."""
    low = own_low(there, window, BLOCK_N, WINDOW)
    share = SPLIT_KEYS
    if SPLIT_KEYS == 0:
        share = tl.cdiv(tl.cdiv(there - low, BLOCK_N), SPLITS) * BLOCK_N
    begin = low + split * share
    return begin, tl.minimum(begin + share, there)


@triton.jit
def attend_own(
    tile,
    live,
    query,
    acc,
    top,
    total,
    kn_at,
    vn_at,
    skn_q,
    svn_q,
    k_at,
    v_at,
    sk_t,
    sv_t,
    length,
    begin,
    end,
    leads,
    scale,
    softcap,
    window,
    Q: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    WRITE: tl.constexpr,
    WINDOW: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
):
    """Take in one row's stored tokens [begin, end); who leads also writes the new ones, from registers."""
    inside = tl.arange(0, BLOCK_D) < D
    stored = length if WRITE else length - Q
    # one test at compile time, one at run time: `and` would compile this where there are no new tokens
    if WRITE:  # noqa: SIM102
        if leads:
            for new in tl.static_range(Q):
                k = tl.load(kn_at + new * skn_q, mask=inside, other=0.0)
                v = tl.load(vn_at + new * svn_q, mask=inside, other=0.0)
                token = (stored + new).to(tl.int64)
                tl.store(k_at + token * sk_t, k, mask=inside)
                tl.store(v_at + token * sv_t, v, mask=inside)
                seen = live & (query >= new)
                if WINDOW:
                    seen = seen & (query - new < window)
                products = tl.sum(tile.to(tl.float32) * k.to(tl.float32)[None, :], 1)
                scores = tl.where(seen, _bend(products, scale, softcap, SOFTCAP), NEG_INF)
                top, base, keep = _raise_top(top, scores)
                weight = tl.exp2(scores - base)
                total = total * keep + weight
                acc = acc * keep[:, None] + weight[:, None] * v.to(tl.float32)[None, :]
    stop = stored + query + 1
    first = stop - window
    return attend_range(
        tile,
        live,
        k_at,
        sk_t,
        v_at,
        sv_t,
        begin,
        end,
        first if WINDOW else tl.zeros_like(query),
        stop,
        acc,
        top,
        total,
        scale,
        softcap,
        D,
        BLOCK_D,
        BLOCK_N,
        WINDOW or not WRITE,
        SOFTCAP,
        PRECISION,
        STAGES,
    )


@triton.jit
def store_partial(out, lse, index, live, acc, top, total, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Store [M, D] fp32 results and base-2 log-sum-exps at rows `index`; (0, -inf) where no key was seen."""
    col = tl.arange(0, BLOCK_D)
    some = tl.where(total > 0.0, total, 1.0)
    at = index.to(tl.int64)[:, None] * D + col[None, :]
    tl.store(out + at, acc / some[:, None], mask=live[:, None] & (col < D)[None, :])
    tl.store(lse + index, tl.where(total > 0.0, top + tl.log2(some), NEG_INF), mask=live)


@triton.jit
def store_result(
    out,
    lse,
    sinks,
    row,
    head,
    query,
    live,
    acc,
    top,
    total,
    Q: tl.constexpr,
    P: tl.constexpr,
    G: tl.constexpr,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    SINKS: tl.constexpr,
):
    """Let the sinks in, then store results in out's dtype and natural log-sum-exps."""
    col = tl.arange(0, BLOCK_D)
    head_of_row = head * P + tl.arange(0, BLOCK_M) % P
    if SINKS:
        sink = tl.load(sinks + head_of_row, mask=live, other=0.0).to(tl.float32) * _LOG2_E
        top, base, keep = _raise_top(top, sink)
        acc = acc * keep[:, None]
        total = total * keep + tl.exp2(sink - base)
    some = tl.where(total > 0.0, total, 1.0)
    index = (row.to(tl.int64) * Q + query) * (G * P) + head_of_row
    result = (acc / some[:, None]).to(out.dtype.element_ty)
    tl.store(out + index[:, None] * D + col[None, :], result, mask=live[:, None] & (col < D)[None, :])
    tl.store(lse + index, tl.where(total > 0.0, (top + tl.log2(some)) * _LN_2, NEG_INF), mask=live)


@triton.jit
def fold(acc, top, total, part_out, part_lse, index, live, D: tl.constexpr, BLOCK_D: tl.constexpr):
    """Take stored partial results at rows `index` into the softmax."""
    col = tl.arange(0, BLOCK_D)
    lse = tl.load(part_lse + index, mask=live, other=NEG_INF)
    at = index.to(tl.int64)[:, None] * D + col[None, :]
    out = tl.load(part_out + at, mask=live[:, None] & (col < D)[None, :], other=0.0)
    top, base, keep = _raise_top(top, lse)
    weight = tl.exp2(lse - base)
    return acc * keep[:, None] + out * weight[:, None], top, total * keep + weight


@triton.jit
def fold_run(
    acc,
    top,
    total,
    part_out,
    part_lse,
    first,
    count,
    stride,
    offset,
    live,
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    FOLD: tl.constexpr,
):
    """Take in results first .. first + count - 1, FOLD at a time; i is at rows i * stride + offset [J]."""
    if FOLD == 1:
        for number in range(first, first + count):
            index = number * stride + offset
            acc, top, total = fold(acc, top, total, part_out, part_lse, index, live, D, BLOCK_D)
    else:
        f = tl.arange(0, FOLD)
        col = tl.arange(0, BLOCK_D)
        for begin in range(0, count, FOLD):
            index = (first + begin + f)[:, None] * stride + offset[None, :]
            inside = (begin + f < count)[:, None] & live[None, :]
            lse = tl.load(part_lse + index, mask=inside, other=NEG_INF)
            at = index.to(tl.int64)[:, :, None] * D + col[None, None, :]
            out = tl.load(part_out + at, mask=inside[:, :, None] & (col < D)[None, None, :], other=0.0)
            top, base, keep = _raise_top(top, tl.max(lse, 0))
            weights = tl.exp2(lse - base[None, :])
            acc = acc * keep[:, None] + tl.sum(out * weights[:, :, None], 0)
            total = total * keep + tl.sum(weights, 0)
    return acc, top, total
