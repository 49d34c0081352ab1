"""Time one whole decode step of a random-weight model with shared-prefix attention.

The model is a plain decoder (root-mean-square norms, rotary positions, gated feed-forward) of a published
shape. On a GPU the step, from token ids to the next token ids, is one CUDA graph, with the elementwise parts
compiled. Before any time is reported, the logits of the first layers are compared with fp64 attention over
joined keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn.functional import linear, rms_norm, silu

from codesample.bench.attention import clock_of, copy_rate, facts, free_memory, median_time
from codesample.errors import UnknownNameError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    PreparedBatch,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding

__all__ = ["STEP_MODELS", "Decoder", "ModelShape", "measure_step"]

Row = dict[str, Any]
_CHECKED_LAYERS = 2
_ROTARY_BASE = 10000.0


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a decoder."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    width: int
    feed_forward: int
    vocabulary: int


STEP_MODELS = {
    "7b-mha": ModelShape(32, 4096, 32, 32, 128, 11008, 32000),
    "mistral-7b": ModelShape(32, 4096, 32, 8, 128, 14336, 32000),
    "tiny": ModelShape(3, 64, 4, 2, 16, 128, 256),
}


def _before(
    x: torch.Tensor, norm: torch.Tensor, weight: torch.Tensor, angles: torch.Tensor, s: ModelShape
) -> tuple[torch.Tensor, ...]:
    q, k, v = linear(rms_norm(x, x.shape[-1:], norm), weight).split(
        [s.heads * s.width, s.kv_heads * s.width, s.kv_heads * s.width], dim=-1
    )
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)

    def rotate(y: torch.Tensor) -> torch.Tensor:
        a, b = y.unflatten(-1, (-1, 2, s.width // 2)).unbind(-2)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

    return rotate(q).unsqueeze(1), rotate(k).unsqueeze(1), v.unflatten(-1, (-1, s.width)).unsqueeze(1)


def _after(
    x: torch.Tensor,
    attended: torch.Tensor,
    out: torch.Tensor,
    norm: torch.Tensor,
    up: torch.Tensor,
    down: torch.Tensor,
) -> torch.Tensor:
    x = x + linear(attended.flatten(1), out)
    gate, value = linear(rms_norm(x, x.shape[-1:], norm), up).chunk(2, dim=-1)
    return x + linear(silu(gate) * value, down)


class Decoder:
    """A decoder with random weights, its keys and values, and the rows of one prompt."""

    def __init__(
        self,
        shape: ModelShape,
        *,
        rows: int,
        context: int,
        steps: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """Draw weights and a context of `context` tokens; rows have room for `steps` tokens each."""
        self.shape = s = shape
        generator = torch.Generator(device).manual_seed(0)

        def draw(*size: int, scale: float = 1.0) -> torch.Tensor:
            return torch.randn(size, generator=generator, device=device, dtype=dtype).mul_(scale)

        fused = (s.heads + 2 * s.kv_heads) * s.width
        small = s.hidden**-0.5
        self.embedding, self.head = draw(s.vocabulary, s.hidden), draw(s.vocabulary, s.hidden, scale=small)
        self.weights = [
            (
                draw(fused, s.hidden, scale=small),
                draw(s.hidden, s.heads * s.width, scale=(s.heads * s.width) ** -0.5),
                draw(2 * s.feed_forward, s.hidden, scale=small),
                draw(s.hidden, s.feed_forward, scale=s.feed_forward**-0.5),
            )
            for _ in range(s.layers)
        ]
        self.norm = torch.ones(s.hidden, device=device, dtype=dtype)
        shared, own = (s.kv_heads, context, s.width), (rows, s.kv_heads, steps, s.width)
        self.stores = [
            LayerStore(draw(*shared), draw(*shared), draw(*own), draw(*own)) for _ in range(s.layers)
        ]
        self.batch = DecodeBatch.build(
            [Segment(0, context, 0, rows, 0)], slots=range(rows), own_starts=[context] * rows
        )
        self.own_starts = torch.full((rows,), context, device=device)
        self.prepared: dict[str, PreparedBatch] = {}
        self.lens = torch.zeros(rows, dtype=torch.int32, device=device)
        self.tokens = torch.arange(rows, device=device) % s.vocabulary
        self.before, self.after = _before, _after

    def to(self, dtype: torch.dtype, layers: int) -> Decoder:
        """Copy the first `layers` layers, converted to `dtype`; widening changes no value."""
        other: Decoder = object.__new__(Decoder)
        other.shape = replace(self.shape, layers=layers)
        other.embedding, other.head, other.norm = (
            x.to(dtype) for x in (self.embedding, self.head, self.norm)
        )
        other.weights = [tuple(w.to(dtype) for w in layer) for layer in self.weights[:layers]]  # type: ignore[misc]
        other.stores = [
            LayerStore(*(x.to(dtype, copy=True) for x in store)) for store in self.stores[:layers]
        ]
        other.lens, other.tokens = self.lens.clone(), self.tokens.clone()
        other.batch, other.own_starts, other.prepared = self.batch, self.own_starts, self.prepared
        other.before, other.after = _before, _after
        return other

    def compile(self) -> None:
        """Compile the parts around attention."""
        self.before, self.after = torch.compile(_before), torch.compile(_after)

    def logits(self, impl: str, layers: int | None = None) -> torch.Tensor:
        """Run one step of the first layers: [R, vocabulary] logits of the tokens after `self.tokens`."""
        s = self.shape
        x = self.embedding[self.tokens]
        rates = _ROTARY_BASE ** (-torch.arange(0, s.width, 2, device=x.device) / s.width)
        angles = ((self.own_starts + self.lens)[:, None, None] * rates).float()
        if impl not in self.prepared:
            self.prepared[impl] = prepare_batch(self.batch, x.device, impl=impl)
        batch = self.prepared[impl]
        for (qkv, out, up, down), store in zip(self.weights[:layers], self.stores[:layers], strict=True):
            q, k, v = self.before(x, self.norm, qkv, angles, s)
            attended = bifurcated_decode(q, k, v, store, batch, self.lens, impl=impl).out
            x = self.after(x, attended, out, self.norm, up, down)
        return linear(rms_norm(x, x.shape[-1:], self.norm), self.head)

    def step(self, impl: str) -> None:
        """Choose the likeliest next token of every row, all on the device; lengths stay, so steps repeat."""
        self.tokens.copy_(self.logits(impl).argmax(dim=-1))


def measure_step(
    models: Sequence[str],
    *,
    rows: Sequence[int],
    contexts: Sequence[int],
    device: torch.device,
    dtype: torch.dtype = torch.bfloat16,
    own: int = 64,
    repeats: int = 20,
    impl: str = "auto",
) -> Iterator[Row]:
    """Yield one row of figures per model, context and number of rows as it is measured.

    Args:
        models: Names in `STEP_MODELS`.
        rows: Rows of the one prompt.
        contexts: Tokens of the prompt.
        device: Where.
        dtype: Of weights, keys and values.
        own: Tokens each row has decoded.
        repeats: Timed replays; the median is kept.
        impl: Implementation of attention.

    Yields:
        "seconds" per step, the bytes a step must read, their rate and the copy rate of the device; or
        "refused" where the model does not fit memory or its logits are wrong.

    Raises:
        UnknownNameError: no such model.
    """
    for name in models:
        if name not in STEP_MODELS:
            raise UnknownNameError("model", name, STEP_MODELS, f"Known: {', '.join(STEP_MODELS)}")
    common = {
        "kind": "step",
        **facts(device),
        "clock": clock_of(device),
        "dtype": str(dtype).removeprefix("torch."),
        "impl": impl,
        "own": own,
    }
    common["copy_bytes_per_second"] = copy_rate(device)
    for name in models:
        for context in contexts:
            for n in rows:
                cell = {"model": name, "context": context, "rows": n}
                yield {
                    **common,
                    **cell,
                    **_measure(STEP_MODELS[name], n, context, own, dtype, device, repeats, impl),
                }


def _measure(
    shape: ModelShape,
    rows: int,
    context: int,
    own: int,
    dtype: torch.dtype,
    device: torch.device,
    repeats: int,
    impl: str,
) -> Row:
    needed = _weight_bytes(shape, dtype) + _kv_bytes(shape, rows, context, own + 16, dtype)
    if 1.2 * needed > free_memory(device):
        return {"refused": f"needs {1.2 * needed / 1e9:.1f} GB, {free_memory(device) / 1e9:.1f} GB are free"}
    with torch.inference_mode():
        model = Decoder(shape, rows=rows, context=context, steps=own + 16, dtype=dtype, device=device)
        model.lens.fill_(own)
        if device.type == "cuda":
            model.compile()
        wrong = _wrong(model, impl)
        if wrong:
            return {"refused": f"wrong logits: {wrong}"}
        step: Callable[[], None] = lambda: model.step(impl)
        seconds = median_time([step], device, repeats, rounds=1)
    least = _weight_bytes(shape, dtype) + _kv_bytes(shape, rows, context, own, dtype)
    return {"seconds": seconds, "bytes": least, "bytes_per_second": least / seconds}


def _wrong(model: Decoder, impl: str) -> str | None:
    layers, dtype = min(_CHECKED_LAYERS, model.shape.layers), model.head.dtype
    exact = model.to(torch.float64, layers).logits("reference")
    plain = model.to(dtype, layers).logits("reference")
    return beyond_rounding(model.logits(impl, layers), exact, plain)


def _weight_bytes(s: ModelShape, dtype: torch.dtype) -> int:
    layer = (2 * s.heads + 2 * s.kv_heads) * s.width * s.hidden + 3 * s.hidden * s.feed_forward
    return (s.layers * layer + s.vocabulary * s.hidden) * dtype.itemsize


def _kv_bytes(s: ModelShape, rows: int, context: int, own: int, dtype: torch.dtype) -> int:
    return 2 * s.layers * s.kv_heads * s.width * (context + rows * own) * dtype.itemsize
