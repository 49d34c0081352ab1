"""What each launch of the Triton kernels takes by itself; one attention call is one of them or two."""

from __future__ import annotations

from dataclasses import asdict

import torch

from codesample.bench.attention_inputs import Inputs
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.timing import median_time
from codesample.kernels.bifurcated_decode import DecodeOutput, ScoreOptions
from codesample.kernels.bifurcated_decode.call import Call

__all__ = ["launch_figures"]


def launch_figures(x: Inputs, repeats: int) -> Measurement:
    """Time every launch of a call apart from the others, over all stores in turn.

    Returns: "seconds" by kernel, "tiling" with the choices of the cost model; or "refused".
    """
    # triton is imported by whoever has it
    from codesample.kernels.bifurcated_decode.triton import PreparedTriton

    device = x.q.device
    try:
        prepared = PreparedTriton(x.batch, device)
        result = DecodeOutput(
            torch.empty_like(x.q), torch.empty(x.q.shape[:3], dtype=torch.float32, device=device)
        )
        calls = [Call(x.q, x.k_new, x.v_new, store, x.lens, ScoreOptions()) for store in x.stores]
        tiling = prepared.tiling(calls[0])
        seconds = {}
        for launches in zip(*(prepared.launches(call, result, tiling) for call in calls), strict=True):
            name = launches[0].kernel.fn.__name__
            seconds[name] = median_time([launch.run for launch in launches], device, repeats)
    except Exception as error:
        return {"refused": reason_of(error)}
    return {"seconds": seconds, "tiling": asdict(tiling)}
