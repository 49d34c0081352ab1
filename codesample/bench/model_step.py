"""Time one whole decode step of a random-weight model with shared-prefix attention, and with that of others.

On a GPU the step, from token ids to the next token ids, is one CUDA graph, with the elementwise parts
compiled. Before any time is reported, the logits of the first layers are compared with fp64 attention over
joined keys, those of every rival included.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch

from codesample.bench.machine import KERNELS, machine
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.model_shapes import DECODERS, DecoderShape
from codesample.bench.random_decoder import Decoder, LayerAttention
from codesample.bench.settings import expect_known
from codesample.bench.step_rivals import STEP_RIVALS, Unavailable
from codesample.bench.timing import clock_of, copy_rate, median_time
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding

__all__ = ["measure_step"]

_CHECKED_LAYERS = 2
# tokens that every row has room for beyond those it has decoded
_SPARE = 16
# of what weights, keys and values take
_ACTIVATIONS = 1.2


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
    ceiling: float | None = None,
    without: Collection[str] = (),
) -> Iterator[Measurement]:
    """Yield the figures of each model, context and number of rows as it is measured.

    Args:
        models: Names in `DECODERS`.
        rows: Rows of the one prompt.
        contexts: Tokens of the prompt.
        device: Where.
        dtype: Of weights, keys and values.
        own: Tokens each row has decoded.
        repeats: Timed replays; the median is kept.
        impl: Implementation of attention.
        ceiling: Bytes per second of a large copy, where that was measured before.
        without: Rivals that are not measured, by their names in `STEP_RIVALS`.

    Yields:
        "seconds" per step, the bytes a step must read, their rate and the copy rate of the device; of the
        same step with the attention of rivals "rival_seconds", how often longer each took ("faster_than"),
        and why one has no time ("left_out"); or "refused" where the model does not fit memory or its logits
        are wrong.

    Raises:
        UnknownNameError: no such model.
    """
    expect_known("model", models, DECODERS)
    step = _Step(own, device, dtype, repeats, impl, without)
    common = {
        "kind": "step",
        **machine(KERNELS, device),
        "clock": clock_of(device),
        "dtype": str(dtype).removeprefix("torch."),
        "impl": impl,
        "own": own,
        "copy_bytes_per_second": ceiling or copy_rate(device),
    }
    for name, context, n in product(models, contexts, rows):
        cell = {"model": name, "context": context, "rows": n}
        yield {**common, **cell, **step.measure(DECODERS[name], context=context, rows=n)}


@dataclass(frozen=True)
class _Step:
    own: int
    device: torch.device
    dtype: torch.dtype
    repeats: int
    impl: str
    without: Collection[str]

    def measure(self, shape: DecoderShape, *, context: int, rows: int) -> Measurement:
        size, room = self.dtype.itemsize, self.own + _SPARE
        weights = shape.weight_bytes(size)
        needed = weights + shape.kv_bytes(context + rows * room, size)
        if lack := lack_of_memory(_ACTIVATIONS * needed, self.device):
            return {"refused": lack}
        with torch.inference_mode():
            model = Decoder(
                shape, rows=rows, context=context, steps=room, dtype=self.dtype, device=self.device
            )
            model.lens.fill_(self.own)
            if self.device.type == "cuda":
                model.compile()
            expected = _Expected.of(model)
            if wrong := expected.wrong(model, self.impl):
                return {"refused": f"wrong logits: {wrong}"}
            seconds = self._timed(model)
            beside = self._beside(model, expected, seconds)
        least = weights + shape.kv_bytes(context + rows * self.own, size)
        return {"seconds": seconds, "bytes": least, "bytes_per_second": least / seconds} | beside

    def _timed(self, model: Decoder, others: Sequence[LayerAttention] | None = None) -> float:
        return median_time([partial(model.step, self.impl, others)], self.device, self.repeats, rounds=1)

    def _beside(self, model: Decoder, expected: _Expected, seconds: float) -> Measurement:
        times: dict[str, float] = {}
        left_out: dict[str, str] = {}
        for name, make in STEP_RIVALS.items():
            if name in self.without:
                continue
            try:
                others = make(model, self.own)
                if wrong := expected.wrong(model, self.impl, others):
                    left_out[name] = f"wrong logits: {wrong}"
                else:
                    times[name] = self._timed(model, others)
            except Unavailable as reason:
                left_out[name] = str(reason)
            except Exception as error:
                left_out[name] = reason_of(error)
        ratios = {name: took / seconds for name, took in times.items()}
        return {"rival_seconds": times, "faster_than": ratios, "left_out": left_out}


@dataclass(frozen=True)
class _Expected:
    """Logits of the first layers by attention over joined keys: in fp64, and in the model's own dtype."""

    layers: int
    tokens: torch.Tensor
    exact: torch.Tensor
    plain: torch.Tensor

    @classmethod
    def of(cls, model: Decoder) -> _Expected:
        layers = min(_CHECKED_LAYERS, model.shape.layers)
        wide, plain = (model.to(dtype, layers) for dtype in (torch.float64, model.head.dtype))
        return cls(layers, model.tokens.clone(), wide.logits("reference"), plain.logits("reference"))

    def wrong(self, model: Decoder, impl: str, others: Sequence[LayerAttention] | None = None) -> str | None:
        """Say how logits are further from the exact ones than rounding explains."""
        # steps that were timed have gone on to others
        model.tokens.copy_(self.tokens)
        return beyond_rounding(model.logits(impl, self.layers, others), self.exact, self.plain)
