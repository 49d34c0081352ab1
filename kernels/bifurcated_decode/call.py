"""One call of the operation: its arguments as records, and whether they fit together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.errors import ParameterError, ShapeError
from codesample.kernels.bifurcated_decode.batch import DecodeBatch
from codesample.kernels.bifurcated_decode.packed_keys import PackedKeys

__all__ = [
    "Call",
    "DecodeOutput",
    "LayerStore",
    "PackedStore",
    "ScoreOptions",
    "check_call",
    "check_store",
    "stored_on_host",
]

_DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class LayerStore(NamedTuple):
    """Keys and values of one layer; G KV heads of width D, all four of one dtype and device.

    Attributes:
        k_shared, v_shared: [G, C, D], one pool of shared tokens that segments point into.
        k_own, v_own: [S, G, T, D], S slots of T tokens, one slot per row. What lies at or past a row's
            length may be anything, NaN included.
    The last dimension must have stride 1; the others may be strided.
    """

    k_shared: Tensor
    v_shared: Tensor
    k_own: Tensor
    v_own: Tensor

    @property
    def packed(self) -> PackedKeys | None:
        """The pool in 8 bits, where it is held so; see `PackedStore`."""
        return None

    @property
    def shared_tokens(self) -> int:
        """C."""
        return self.k_shared.shape[1] if self.packed is None else self.packed.tokens

    def shared(self, start: int, length: int) -> tuple[Tensor, Tensor]:
        """Return shared keys and values [G, length, D], unpacked where they are packed."""
        if self.packed is not None:
            return self.packed.read(start, start + length, self.k_shared.dtype)
        return self.k_shared[:, start : start + length], self.v_shared[:, start : start + length]

    def gathered(self, start: int, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values [G, N, D] of shared tokens [G, N] int64 of each head, from `start` on."""
        if self.packed is not None:
            return self.packed.gathered(start + tokens, self.k_shared.dtype)
        at = (start + tokens)[..., None].expand(-1, -1, self.k_shared.shape[2])
        return self.k_shared.gather(1, at), self.v_shared.gather(1, at)

    def write(self, start: int, k: Tensor, v: Tensor) -> None:
        """Store shared keys and values [G, T, D] from token `start` on, packed where the pool is."""
        if self.packed is not None:
            self.packed.write(start, k, v)
        else:
            self.k_shared[:, start : start + k.shape[1]] = k
            self.v_shared[:, start : start + v.shape[1]] = v

    def whole_bytes(self, tokens: int) -> int:
        """Bytes of so many shared keys and values in the store's own dtype."""
        heads, _, width = self.k_shared.shape
        return 2 * tokens * heads * width * self.k_shared.element_size()

    def held_bytes(self, tokens: int) -> int:
        """Bytes of so many shared keys and values as they are held."""
        return self.whole_bytes(tokens) if self.packed is None else self.packed.bytes_of(tokens)


class PackedStore(LayerStore):
    """Keys and values of one layer whose pool is in 8 bits; `k_shared` and `v_shared` are [G, 0, D]."""

    _pool: PackedKeys

    @classmethod
    def of(cls, store: LayerStore, pool: PackedKeys) -> PackedStore:
        """Return a store with the pool in the place of shared keys and values, which hold no tokens."""
        made = cls(*store)
        made._pool = pool
        return made

    @property
    def packed(self) -> PackedKeys:
        """The pool."""
        return self._pool


class ScoreOptions(NamedTuple):
    """How a layer turns products of queries and keys into weights.

    Attributes:
        scale: Factor on the scores. Default: 1 / sqrt(D).
        window: See only keys with query position - key position < window. Default: all.
        softcap: Replace each score s by softcap * tanh(s / softcap). Default: leave it.
        sinks: [H] logits, each joining its head's normaliser once, with no value. Default: none.
        in_bf16: Let float32 be multiplied in bfloat16, with sums in float32, where many queries read all of
            many shared keys: the PyTorch form does, on a CPU, and the rest as it is. Default: no.
    """

    scale: float | None = None
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None
    in_bf16: bool = False

    def scale_for(self, width: int) -> float:
        """Return the factor on the scores of heads of width D."""
        return width**-0.5 if self.scale is None else self.scale


class DecodeOutput(NamedTuple):
    """Result of attention.

    Attributes:
        out: [R, Q, H, D] in q's dtype; 0 where a query sees no key.
        lse: [R, Q, H] natural log-sum-exp of the scores (sink included), fp32, or fp64 for fp64 inputs;
            -inf where a query sees no key and no sink.
    """

    out: Tensor
    lse: Tensor


class Call(NamedTuple):
    """What changes from layer to layer and step to step; see `bifurcated_decode` for each."""

    q: Tensor
    k_new: Tensor | None
    v_new: Tensor | None
    store: LayerStore
    lens: Tensor
    scores: ScoreOptions

    @property
    def writes(self) -> bool:
        """Whether the call stores new keys and values."""
        return self.k_new is not None

    @property
    def kv_heads(self) -> int:
        """G."""
        return self.store.k_shared.shape[0]

    @property
    def group(self) -> int:
        """H / G, query heads per KV head."""
        return self.q.shape[2] // self.store.k_shared.shape[0]

    def with_unit_stride(self) -> Call:
        """Let the last dimension of queries and new keys have stride 1, which implementations rely on."""
        q, k, v = self.q, self.k_new, self.v_new
        if q.stride(3) == 1 and (k is None or k.stride(3) == 1) and (v is None or v.stride(3) == 1):
            return self
        # rare, and small enough to copy
        k, v = (None if x is None else _with_unit_stride(x) for x in (k, v))
        return self._replace(q=_with_unit_stride(q), k_new=k, v_new=v)


def check_store(store: LayerStore, batch: DecodeBatch) -> None:
    """Demand that the store's tensors fit one another and hold all that the batch names.

    Raises:
        ShapeError: they do not; the message names what was found and what would do.
    """
    k_shared, v_shared, k_own, v_own = store
    if k_shared.dim() != 3 or k_own.dim() != 4:
        raise ShapeError(
            f"bifurcated_decode: k_shared is {_form(k_shared)}, k_own {_form(k_own)}; "
            "expected [G, C, D] and [S, G, T, D]"
        )
    kv_heads, pool, width = k_shared.shape
    slots, _, capacity, _ = k_own.shape
    _check_like(k_shared, "v_shared", v_shared, (kv_heads, pool, width))
    _check_like(k_shared, "k_own", k_own, (slots, kv_heads, capacity, width))
    _check_like(k_shared, "v_own", v_own, (slots, kv_heads, capacity, width))
    for name, tensor in zip(LayerStore._fields, store, strict=True):
        if tensor.stride(-1) != 1:
            raise ShapeError(f"bifurcated_decode: {name} has strides {tensor.stride()}; its last must be 1")
    if k_shared.dtype not in _DTYPES:
        raise ShapeError(f"bifurcated_decode: the store is {k_shared.dtype}; expected one of {_DTYPES}")
    if batch.slot_stop > slots:
        raise ShapeError(
            f"bifurcated_decode: the batch uses slot {batch.slot_stop - 1}, k_own has {slots} slots"
        )
    if store.packed is not None:
        _check_packed(store.packed, k_shared)
    if batch.pool_stop > store.shared_tokens:
        raise ShapeError(
            f"bifurcated_decode: a segment ends with token {batch.pool_stop - 1} of the pool, "
            f"which has {store.shared_tokens}: k_shared is {_form(k_shared)}"
        )


def _check_packed(packed: PackedKeys, k_shared: Tensor) -> None:
    heads, tokens, width = k_shared.shape
    fits = packed.k.shape == packed.v.shape == (heads, packed.tokens, width)
    if not fits or tokens or any(x.device != k_shared.device for x in packed):
        raise ShapeError(
            f"bifurcated_decode: packed is {_form(packed.k)}, k_shared {_form(k_shared)}; expected "
            f"[{heads}, C, {width}] on {k_shared.device} beside [{heads}, 0, {width}]"
        )
    if not all(x[0].is_contiguous() for x in packed[2:]) or (
        packed.k_scale.stride(0) != packed.k_middle.stride(0)
    ):
        strides = {name: x.stride() for name, x in zip(packed._fields[2:], packed[2:], strict=True)}
        raise ShapeError(
            f"bifurcated_decode: packed has strides {strides}; expected scales and middles of a KV head "
            "one after the other, and those of keys alike"
        )


def check_call(call: Call, batch: DecodeBatch) -> None:
    """Demand that queries, new keys, lengths and options fit the store and the batch.

    Raises:
        ShapeError: a shape, dtype or device disagrees; the message names both.
        ParameterError: window or softcap is not positive.
    """
    q, k_new, v_new, store, lens, scores = call
    if q.dim() != 4 or q.shape[0] != batch.rows or 0 in q.shape:
        raise ShapeError(
            f"bifurcated_decode: q is {_form(q)}; expected [{batch.rows} rows of the batch, Q, H, D]"
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
    _check_scores(scores, heads)


def stored_on_host(call: Call) -> list[int]:
    """Read the own tokens that rows hold before the queries' own; on a GPU this waits for it.

    Raises:
        ShapeError: a row's tokens would not fit its slot.
    """
    queries, capacity = call.q.shape[1], call.store.k_own.shape[2]
    stored: list[int] = call.lens.tolist()
    if not call.writes:
        stored = [length - queries for length in stored]
    if max(stored) + queries > capacity or min(stored) + queries < 0:
        raise ShapeError(
            f"bifurcated_decode: lens {min(stored)} to {max(stored)} and {queries} queries do not fit slots "
            f"with a capacity of {capacity} tokens; free the row or make the slots longer"
        )
    return stored


def _with_unit_stride(x: Tensor) -> Tensor:
    return x if x.stride(3) == 1 else x.contiguous()


def _check_scores(scores: ScoreOptions, heads: int) -> None:
    window, softcap, sinks = scores.window, scores.softcap, scores.sinks
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


def _check_like(model: Tensor, name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape or tensor.dtype != model.dtype or tensor.device != model.device:
        raise ShapeError(
            f"bifurcated_decode: {name} is {_form(tensor)}; "
            f"expected {list(shape)} {model.dtype} on {model.device}, as the rest"
        )


def _form(x: Tensor) -> str:
    return f"{list(x.shape)} {x.dtype} on {x.device}"
