"""A plain decoder with random weights: root-mean-square norms, rotary positions, gated feed-forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch.nn.functional import linear, rms_norm, silu

from codesample.bench.model_shapes import DecoderShape
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    LayerStore,
    PreparedBatch,
    Segment,
    bifurcated_decode,
    prepare_batch,
)

__all__ = ["Decoder", "LayerAttention"]

LayerAttention = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Attention of one layer, which keeps what it is given: queries [R, 1, H, D], keys and values [R, 1, G, D] of
the rows' new tokens to outputs [R, 1, H, D]."""

_ROTARY_BASE = 10000.0


def _before(
    x: torch.Tensor, norm: torch.Tensor, weight: torch.Tensor, angles: torch.Tensor, s: DecoderShape
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
        shape: DecoderShape,
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
        self.own_starts = torch.full((rows,), context, dtype=torch.int32, device=device)
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
        other.batch, other.own_starts, other.prepared = self.batch, self.own_starts, self.prepared
        other.lens, other.tokens = self.lens.clone(), self.tokens.clone()
        other.before, other.after = _before, _after
        return other

    def compile(self) -> None:
        """Compile the parts around attention."""
        # a shape that is not the first would be compiled for any
        self.before, self.after = torch.compile(_before, dynamic=False), torch.compile(_after, dynamic=False)

    def logits(
        self, impl: str, layers: int | None = None, others: Sequence[LayerAttention] | None = None
    ) -> torch.Tensor:
        """Run one step of the first layers: [R, vocabulary] logits of the tokens after `self.tokens`.

        Args:
            impl: Implementation of attention.
            layers: How many. Default: all.
            others: Attention of each layer in its place.
        """
        s = self.shape
        x = self.embedding[self.tokens]
        rates = _ROTARY_BASE ** (-torch.arange(0, s.width, 2, device=x.device) / s.width)
        angles = ((self.own_starts + self.lens)[:, None, None] * rates).float()
        if impl not in self.prepared:
            self.prepared[impl] = prepare_batch(self.batch, x.device, impl=impl)
        batch = self.prepared[impl]
        for i, (qkv, out, up, down) in enumerate(self.weights[:layers]):
            q, k, v = self.before(x, self.norm, qkv, angles, s)
            if others is None:
                attended = bifurcated_decode(q, k, v, self.stores[i], batch, self.lens, impl=impl).out
            else:
                attended = others[i](q, k, v)
            x = self.after(x, attended, out, self.norm, up, down)
        return linear(rms_norm(x, x.shape[-1:], self.norm), self.head)

    def step(self, impl: str, others: Sequence[LayerAttention] | None = None) -> None:
        """Choose the likeliest next token of every row, all on the device; lengths stay, so steps repeat."""
        self.tokens.copy_(self.logits(impl, others=others).argmax(dim=-1))
