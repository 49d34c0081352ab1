"""Which kernels a decode step of a random-weight model is made of, and what each takes."""

from __future__ import annotations

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from codesample.bench.measurements import Measurement
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.model_shapes import DECODERS
from codesample.bench.random_decoder import Decoder

__all__ = ["profile_step"]

_UNTIMED = 3
_STEPS = 5
_SHOWN = 16
_NAME_LENGTH = 80


def profile_step(
    model: str, *, rows: int, context: int, own: int, device: torch.device, dtype: torch.dtype, impl: str
) -> Measurement:
    """Profile steps of a decoder, each kernel by itself, without a graph.

    Returns: microseconds and calls per step of the kernels that take most ("kernels"; operators on a CPU),
        and of all of them together; or "refused".
    """
    shape, steps = DECODERS[model], own + 16
    size = dtype.itemsize
    if lack := lack_of_memory(
        1.2 * (shape.weight_bytes(size) + shape.kv_bytes(context + rows * steps, size)), device
    ):
        return {"refused": lack}
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with torch.inference_mode():
        decoder = Decoder(shape, rows=rows, context=context, steps=steps, dtype=dtype, device=device)
        decoder.lens.fill_(own)
        if on_gpu:
            decoder.compile()
        for _ in range(_UNTIMED):
            decoder.step(impl)
        with profile(activities=activities) as seen:
            for _ in range(_STEPS):
                decoder.step(impl)
            if on_gpu:
                torch.cuda.synchronize(device)
    kernels = _kernels(seen.key_averages(), on_gpu=on_gpu)
    if not kernels:
        return {"refused": "the profiler saw no kernel"}
    total = sum(kernel["us_per_step"] for kernel in kernels)
    return {"us_per_step": round(total, 1), "kernels": kernels[:_SHOWN]}


def _kernels(events: Any, *, on_gpu: bool) -> list[Measurement]:
    found = []
    for event in events:
        # on a GPU operators are listed too, with the time of the kernels that they launched
        if on_gpu and event.device_type.name != "CUDA":
            continue
        us = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if us > 0:
            found.append(
                {
                    "name": event.key[:_NAME_LENGTH],
                    "us_per_step": round(us / _STEPS, 2),
                    "calls_per_step": event.count / _STEPS,
                }
            )
    return sorted(found, key=lambda kernel: -kernel["us_per_step"])
