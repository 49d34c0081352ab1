"""The public operation: checks its arguments, then hands them to one implementation."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch

from codesample.errors import ImplUnavailableError, ParameterError, ShapeError
from codesample.kernels.bifurcated_decode.batch import DecodePlan
from codesample.kernels.bifurcated_decode.cost import most_queries

__all__ = ["DecodeOutput", "LayerStore", "bifurcated_decode", "take_over", "usable_impls"]

_IMPLS = ("reference", "torch", "triton")
_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class LayerStore(NamedTuple):
    """Keys and values of one layer; G KV heads of width D, all four of one dtype and device.

    Attributes:
        k_shared, v_shared: [G, C, D], one pool of shared tokens that segments point into.
        k_decode, v_decode: [S, G, T, D], S slots of T tokens, one slot per row. What lies at or past a
            row's length may be anything, NaN included.
    The last dimension must have stride 1; the others may be strided.
    """

    k_shared: torch.Tensor
    v_shared: torch.Tensor
    k_decode: torch.Tensor
    v_decode: torch.Tensor


class DecodeOutput(NamedTuple):
    """Result of attention.

    Attributes:
        out: [R, Q, H, D] in q's dtype; 0 where a query sees no key.
        lse: [R, Q, H] natural log-sum-exp of the scores (sink included), fp32, or fp64 for fp64 inputs;
            -inf where a query sees no key and no sink.
    """

    out: torch.Tensor
    lse: torch.Tensor


def bifurcated_decode(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    *,
    scale: float | None = None,
    window: int | None = None,
    softcap: float | None = None,
    sinks: torch.Tensor | None = None,
    impl: str = "auto",
) -> DecodeOutput:
    """Attend a few new tokens per row to the row's chain of shared segments and to the row's own tokens.

    Equal to attention over the joined keys, while a shared segment is read once for all its rows instead
    of once per row. Query head h reads KV head h // (H / G). Query i of row r stands at the absolute
    position context_lens[r] + lens[r] + i and sees the row's shared segments and its decode tokens up to
    and including that position. The new keys and values are written into the store on the way.

    Args:
        q: [R, Q, H, D], fp32, bf16, fp16 or fp64; Q is 1 in plain decoding. May be strided.
        k_new, v_new: [R, Q, G, D], written at tokens lens[r] .. lens[r] + Q - 1 of slot slots[r]; or both
            None when the store holds them already: then lens counts them too.
        store: The layer's keys and values.
        plan: The batch layout, R rows.
        lens: [R] int32 on q's device, decode tokens stored per row before this call.
        scale: Factor on the scores. Default: 1 / sqrt(D).
        window: See only keys with query position - key position < window. Default: all.
        softcap: Replace each score s by softcap * tanh(s / softcap). Default: leave it.
        sinks: [H] logits, each joining its head's normaliser once, with no value. Default: none.
        impl: "reference", "torch", "triton" or "auto"; a named one never falls back.

    Returns:
        DecodeOutput: out [R, Q, H, D] in q's dtype; lse [R, Q, H], natural logarithm.

    Raises:
        ShapeError: a shape, dtype or device disagrees with q or the plan; the message names both.
        ParameterError: window or softcap is not positive, or impl is unknown.
        ImplUnavailableError: a named implementation does not serve this device, dtype or width.
    Source: arXiv:2403.08845, with the softmax split by log-sum-exp.
    """
    plan.memo("checked", lambda: _check_store(store, plan), of=store)
    _check_call(q, k_new, v_new, store, plan, lens, window, softcap, sinks)
    if scale is None:
        scale = q.shape[-1] ** -0.5
    # implementations read whole rows of D elements; a strided row is rare and small enough to copy
    q = _unit_stride(q)
    if k_new is not None and v_new is not None:
        k_new, v_new = _unit_stride(k_new), _unit_stride(v_new)
    run = _resolve(impl, q, store.k_shared.shape[0])
    return run(q, k_new, v_new, store, plan, lens, scale=scale, window=window, softcap=softcap, sinks=sinks)


def usable_impls(device: torch.device | str = "cpu") -> tuple[str, ...]:
    """Names of the implementations that can run on `device` here, "reference" first."""
    return _IMPLS if _why_no_triton(torch.device(device)) is None else _IMPLS[:2]


def take_over(old: DecodePlan, new: DecodePlan) -> DecodePlan | None:
    """Let captured launches of one layout compute another.

    A CUDA graph that was captured with `old` reads its layout from tables on the device; these are filled
    with the other layout.

    Args:
        old: The plan of the captured calls; not to be used any more unless None is returned.
        new: A plan of as many rows on the same device.

    Returns:
        The plan to go on with, or None where the launches or the room of the tables differ: capture anew.
    """
    if new.rows != old.rows or new.device != old.device:
        return None
    from codesample.kernels.bifurcated_decode.triton import take_over

    return take_over(old, new)


def stored_on_host(lens: torch.Tensor, queries: int, store: LayerStore, written: bool) -> list[int]:
    """Read the decode tokens that rows hold before the queries' own; on a GPU this waits for it.

    Raises:
        ShapeError: a row's tokens would not fit its slot.
    """
    stored: list[int] = lens.tolist()
    if not written:
        stored = [length - queries for length in stored]
    capacity = store.k_decode.shape[2]
    if max(stored) + queries > capacity or min(stored) + queries < 0:
        raise ShapeError(
            f"bifurcated_decode: lens {min(stored)} to {max(stored)} and {queries} queries do not fit slots "
            f"with a capacity of {capacity} tokens; free the row or make the decode store longer"
        )
    return stored


def _unit_stride(x: torch.Tensor) -> torch.Tensor:
    return x if x.stride(3) == 1 else x.contiguous()


def _resolve(impl: str, q: torch.Tensor, kv_heads: int) -> Callable[..., DecodeOutput]:
    if impl not in ("auto", *_IMPLS):
        raise ParameterError(f"bifurcated_decode: unknown impl {impl!r}; expected one of {_IMPLS} or 'auto'")
    if impl == "reference":
        from codesample.kernels.bifurcated_decode.reference import decode
    elif impl == "torch" or (impl == "auto" and (q.device.type == "cpu" or _why_not(q, kv_heads))):
        from codesample.kernels.bifurcated_decode.torch import decode
    else:
        reason = _why_not(q, kv_heads)
        if reason:
            raise ImplUnavailableError(
                f"bifurcated_decode: impl='triton' {reason}; use impl='torch' or 'auto'"
            )
        from codesample.kernels.bifurcated_decode.triton import decode
    return decode


def _why_not(q: torch.Tensor, kv_heads: int) -> str | None:
    _, queries, heads, width = q.shape
    if q.dtype == torch.float64:
        return f"does not serve {q.dtype}"
    if width > 256:
        return f"serves head widths up to 256, not D = {width}"
    per_row, most = queries * heads // kv_heads, most_queries(width, q.element_size())
    if per_row > most:
        return (
            f"serves up to {most} queries per row and KV head with D = {width} in {q.dtype}, "
            f"not Q * H / G = {per_row}"
        )
    return _why_no_triton(q.device)


@cache
def _why_no_triton(device: torch.device) -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "needs the package triton"
    if os.environ.get("TRITON_INTERPRET") == "1":
        return None
    if device.type != "cuda":
        return f"needs a CUDA device, not {device} (or TRITON_INTERPRET=1, to run slowly on a CPU)"
    capability = torch.cuda.get_device_capability(device)
    return None if capability >= (8, 0) else f"needs compute capability 8.0, not {capability}"


def _check_store(store: LayerStore, plan: DecodePlan) -> LayerStore:
    k_shared, v_shared, k_decode, v_decode = store
    if k_shared.dim() != 3 or k_decode.dim() != 4:
        raise ShapeError(
            f"bifurcated_decode: k_shared is {_form(k_shared)}, k_decode {_form(k_decode)}; "
            "expected [G, C, D] and [S, G, T, D]"
        )
    kv_heads, pool, width = k_shared.shape
    slots, _, capacity, _ = k_decode.shape
    _check_like(k_shared, "v_shared", v_shared, (kv_heads, pool, width))
    _check_like(k_shared, "k_decode", k_decode, (slots, kv_heads, capacity, width))
    _check_like(k_shared, "v_decode", v_decode, (slots, kv_heads, capacity, width))
    for name, tensor in zip(LayerStore._fields, store, strict=True):
        if tensor.stride(-1) != 1:
            raise ShapeError(f"bifurcated_decode: {name} has strides {tensor.stride()}; its last must be 1")
    if k_shared.dtype not in _DTYPES:
        raise ShapeError(f"bifurcated_decode: the store is {k_shared.dtype}; expected one of {_DTYPES}")
    if plan.slot_stop > slots:
        raise ShapeError(
            f"bifurcated_decode: the plan uses slot {plan.slot_stop - 1}, k_decode has {slots} slots"
        )
    if plan.pool_stop > pool:
        raise ShapeError(
            f"bifurcated_decode: a segment ends with token {plan.pool_stop - 1} of the pool, "
            f"k_shared is {_form(k_shared)}"
        )
    return store


def _check_call(
    q: torch.Tensor,
    k_new: torch.Tensor | None,
    v_new: torch.Tensor | None,
    store: LayerStore,
    plan: DecodePlan,
    lens: torch.Tensor,
    window: int | None,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> None:
    if q.dim() != 4 or q.shape[0] != plan.rows or 0 in q.shape:
        raise ShapeError(
            f"bifurcated_decode: q is {_form(q)}; expected [{plan.rows} rows of the plan, Q, H, D]"
        )
    rows, queries, heads, _ = q.shape
    kv_heads, _, width = store.k_shared.shape
    if heads % kv_heads:
        raise ShapeError(
            f"bifurcated_decode: H = {heads} (q {_form(q)}) is not a multiple of G = {kv_heads} "
            f"(k_shared {_form(store.k_shared)})"
        )
    _check_like(store.k_shared, "q", q, (rows, queries, heads, width))
    if k_new is not None and v_new is not None:
        _check_like(q, "k_new", k_new, (rows, queries, kv_heads, width))
        _check_like(q, "v_new", v_new, (rows, queries, kv_heads, width))
    elif k_new is not None or v_new is not None:
        raise ShapeError("bifurcated_decode: give both k_new and v_new, or neither")
    if lens.shape != (rows,) or lens.dtype != torch.int32 or lens.device != q.device:
        raise ShapeError(f"bifurcated_decode: lens is {_form(lens)}; expected [{rows}] int32 on {q.device}")
    if sinks is not None and sinks.shape != (heads,):
        raise ShapeError(
            f"bifurcated_decode: sinks is {_form(sinks)}; expected [{heads}], one per query head"
        )
    if window is not None and window < 1:
        raise ParameterError(
            f"bifurcated_decode: window = {window}; expected at least 1, or None for all keys"
        )
    if softcap is not None and not softcap > 0:
        raise ParameterError(
            f"bifurcated_decode: softcap = {softcap}; expected more than 0, or None for none"
        )


def _check_like(model: torch.Tensor, name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape or tensor.dtype != model.dtype or tensor.device != model.device:
        raise ShapeError(
            f"bifurcated_decode: {name} is {_form(tensor)}; "
            f"expected {list(shape)} {model.dtype} on {model.device}, as the rest"
        )


def _form(x: torch.Tensor) -> str:
    return f"{list(x.shape)} {x.dtype} on {x.device}"
