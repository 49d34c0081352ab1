"""Device functions of the Triton kernels for a pool of shared tokens in 8 bits, as `PackedKeys` holds it.

Tiles stand at multiples of their size in the pool, so that the keys of one are of one group and have a scale
and a middle per channel in common. They are unpacked in registers, into what `PackedKeys.read` gives.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

import triton
import triton.language as tl

from codesample.kernels.bifurcated_decode.packed_keys import GROUP
from codesample.kernels.bifurcated_decode.triton_ops import take_in

__all__ = ["attend_packed"]

_GROUP = tl.constexpr(GROUP)


@triton.jit
def _widened(bits, FORM: tl.constexpr):
    # fp32 of a byte: an integer, or e4m3 by an instruction that not all GPUs have, or by its bits
    if FORM == "int8":
        return bits.to(tl.float32)
    elif FORM == "e4m3":
        return bits.to(tl.float8e4nv, bitcast=True).to(tl.float32)
    else:
        # exponent and mantissa as those of fp16, whose bias is larger by 8
        half = ((bits.to(tl.uint16) & 0x80) << 8) | ((bits.to(tl.uint16) & 0x7F) << 7)
        return half.to(tl.float16, bitcast=True).to(tl.float32) * 256.0


@triton.jit
def attend_packed(
    tile,
    live,
    k_at,
    sk_t,
    v_at,
    sv_t,
    k_scale_at,
    k_middle_at,
    v_scale_at,
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
    D: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BOUNDED: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PRECISION: tl.constexpr,
    STAGES: tl.constexpr,
    FORM: tl.constexpr,
):
    """Take in keys [begin, end) of a segment whose first is token `start`; addresses are of the pool's first.

    If BOUNDED, row m sees those in [first[m], stop[m]).
    """
    n = tl.arange(0, BLOCK_N)
    col = tl.arange(0, BLOCK_D)
    within = col < D
    for token in tl.range((start + begin) // BLOCK_N * BLOCK_N, start + end, BLOCK_N, num_stages=STAGES):
        keys = (token - start).to(tl.int32) + n
        there = (keys >= begin) & (keys < end)
        inside = there[:, None] & within[None, :]
        at = (token + n)[:, None]
        group = token // _GROUP * D + col
        k_scale = tl.load(k_scale_at + group, mask=within, other=0.0)
        k_middle = tl.load(k_middle_at + group, mask=within, other=0.0)
        v_scale = tl.load(v_scale_at + token + n, mask=there, other=0.0)
        k = _widened(tl.load(k_at[None, :] + at * sk_t, mask=inside, other=0), FORM)
        v = _widened(tl.load(v_at[None, :] + at * sv_t, mask=inside, other=0), FORM)
        k = (k * k_scale[None, :] + k_middle[None, :]).to(tile.dtype)
        v = (v * v_scale[:, None]).to(tile.dtype)
        seen = live[:, None] & there[None, :]
        if BOUNDED:
            seen = seen & (keys[None, :] >= first[:, None]) & (keys[None, :] < stop[:, None])
        acc, top, total = take_in(tile, k, v, seen, acc, top, total, scale, softcap, SOFTCAP, PRECISION)
    return acc, top, total
