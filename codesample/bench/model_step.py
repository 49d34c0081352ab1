"""Time one whole decode step of a random-weight model with shared-prefix attention.

On a GPU the step, from token ids to the next token ids, is one CUDA graph, with the elementwise parts
compiled. Before any time is reported, the logits of the first layers are compared with fp64 attention over
joined keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch

from codesample.bench.machine import KERNELS, machine
from codesample.bench.measurements import Measurement
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.model_shapes import DECODERS, DecoderShape
from codesample.bench.random_decoder import Decoder
from codesample.bench.settings import expect_known
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

    Yields:
        "seconds" per step, the bytes a step must read, their rate and the copy rate of the device; or
        "refused" where the model does not fit memory or its logits are wrong.

    Raises:
        UnknownNameError: no such model.
    """
    expect_known("model", models, DECODERS)
    step = _Step(own, device, dtype, repeats, impl)
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
            if wrong := self._wrong(model):
                return {"refused": f"wrong logits: {wrong}"}
            seconds = median_time([partial(model.step, self.impl)], self.device, self.repeats, rounds=1)
        least = weights + shape.kv_bytes(context + rows * self.own, size)
        return {"seconds": seconds, "bytes": least, "bytes_per_second": least / seconds}

    def _wrong(self, model: Decoder) -> str | None:
        layers = min(_CHECKED_LAYERS, model.shape.layers)
        exact = model.to(torch.float64, layers).logits("reference")
        plain = model.to(self.dtype, layers).logits("reference")
        return beyond_rounding(model.logits(self.impl, layers), exact, plain)
