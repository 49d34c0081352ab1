"""Time attention of one layer by each schedule of the same kernels, after checking that all are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import torch

from codesample.bench.attention_grid import Cell
from codesample.bench.attention_inputs import Inputs, checked_rows, draw_inputs, expected_rows
from codesample.bench.measurements import Measurement
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.model_shapes import HEADS
from codesample.bench.timing import median_time
from codesample.kernels.bifurcated_decode import (
    DecodeOutput,
    FixedSplits,
    LayerStore,
    PreparedBatch,
    ScoreOptions,
    StepSchedule,
    StreamK,
    bifurcated_decode,
    prepare_batch,
)
from codesample.kernels.bifurcated_decode.call import Call
from codesample.kernels.bifurcated_decode.cost import OwnTokens

if TYPE_CHECKING:
    from codesample.kernels.bifurcated_decode.triton import PreparedTriton

__all__ = ["SCHEDULES", "measure_schedules"]

SCHEDULES: dict[str, StepSchedule | None] = {
    "auto": None,
    "stream-k": StreamK(),
    "fixed": FixedSplits(),
}
"""By the names of the policy's axis."""


def measure_schedules(
    cell: Cell, *, impl: str, device: torch.device, dtype: torch.dtype, repeats: int, cold_bytes: int
) -> Iterator[Measurement]:
    """Yield a row per schedule: seconds per call and layer, over stores that no cache holds together.

    Of the Triton kernels there is another, by the launch that the cost model did not choose for own tokens.
    A schedule whose result is wrong, and every one where memory lacks, has "refused" in place of figures.
    """
    _, kv_heads, width = HEADS[cell.model]
    tokens = (cell.context + cell.rows * cell.own) * cell.prompts
    size = 2 * tokens * kv_heads * width * dtype.itemsize
    copies = -(-cold_bytes // size)
    if lack := lack_of_memory(size * copies, device):
        yield {"refused": lack}
        return
    x = draw_inputs(cell, device=device, dtype=dtype, copies=copies)
    expected, at = expected_rows(x), checked_rows(x.batch)
    with torch.inference_mode():
        for name, call in _ways(x, impl):
            got = call(x.stores[0])
            row: Measurement = {"impl": impl, "kv_heads": kv_heads, "method": name}
            if wrong := expected.wrong(DecodeOutput(got.out[at], got.lse[at])):
                yield row | {"refused": f"wrong result: {wrong}"}
                continue
            seconds = median_time([partial(call, store) for store in x.stores], device, repeats)
            yield row | {"seconds": seconds, "bytes": size, "bytes_per_second": size / seconds}


def _ways(x: Inputs, impl: str) -> Iterator[tuple[str, Callable[[LayerStore], DecodeOutput]]]:
    for name, schedule in SCHEDULES.items():
        prepared = prepare_batch(x.batch, x.q.device, impl=impl, schedule=schedule)
        yield name, partial(_call, x, prepared)
    if impl == "triton":
        # triton is imported by whoever has it
        from codesample.kernels.bifurcated_decode.triton import PreparedTriton

        kernels = PreparedTriton(x.batch, x.q.device)
        chosen = kernels.tiling(_as_call(x, x.stores[0]))
        if chosen.shared:
            other: OwnTokens = "split" if chosen.own == "join" else "join"
            yield f"auto, own={other}", partial(_call_with, x, kernels, other)


def _call_with(x: Inputs, kernels: PreparedTriton, own: OwnTokens, store: LayerStore) -> DecodeOutput:
    call = _as_call(x, store)
    kernels.check(call)
    return kernels.decode(call, kernels.tiling(call, own))


def _as_call(x: Inputs, store: LayerStore) -> Call:
    return Call(x.q, x.k_new, x.v_new, store, x.lens, ScoreOptions())


def _call(x: Inputs, prepared: PreparedBatch, store: LayerStore) -> DecodeOutput:
    return bifurcated_decode(x.q, x.k_new, x.v_new, store, prepared, x.lens)
