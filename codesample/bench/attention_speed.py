"""Time decode attention of one layer beside what else computes it, after checking that it is right.

On a GPU a CUDA graph is replayed over several copies of the keys and values, so that none is found in the
L2 cache, and rates stand beside the rate of a large copy measured in the same run. No time is reported for
a result that is further from exact attention than rounding explains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from codesample.bench import attention_rivals
from codesample.bench.attention_grid import Cell, Grid, cells
from codesample.bench.attention_inputs import Expected, Inputs, checked_rows, draw_inputs, expected_rows
from codesample.bench.launch_times import launch_figures
from codesample.bench.machine import KERNELS, machine
from codesample.bench.measurements import Measurement, reason_of
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.model_shapes import HEADS
from codesample.bench.settings import AttentionOptions, dtype_on
from codesample.bench.timing import clock_of, copy_rate, median_time
from codesample.kernels.bifurcated_decode import (
    DecodeOutput,
    LayerStore,
    bifurcated_decode,
    prepare_batch,
)
from codesample.sampling.devices import device_of

__all__ = ["COLD_BYTES", "measure_attention"]

COLD_BYTES = 192 << 20
"""Bytes of keys and values that are read in turn, more than a cache holds."""


def measure_attention(
    grid: Grid,
    options: AttentionOptions,
    *,
    ceiling: float | None = None,
    cold_bytes: int = COLD_BYTES,
    without: Collection[str] = (),
) -> Iterator[Measurement]:
    """Yield the figures of each cell as it is measured, the slower cells included.

    Args:
        grid: What to measure; the usual values of the kind of device stand in for what it leaves out.
        options: How.
        ceiling: Bytes per second of a large copy, where that was measured before.
        cold_bytes: Least size of all keys and values that are read in turn.
        without: Rivals that are not measured.

    Yields:
        Seconds per call and layer, bytes that must be read and written, their rate, the copy ceiling, ratios
        to each rival ("faster_than"), versions, and of the Triton kernels what each launch takes alone. A
        cell that does not fit memory or whose result is wrong has "refused" in place of figures.

    Raises:
        UnknownNameError: no such model.
        ParameterError: no such device or dtype.
    """
    device = device_of(options.device)
    dtype = dtype_on(device, options.dtype)
    bench = _Bench(device, dtype, options.repeats, options.impl, cold_bytes, without)
    return bench.measure_all(list(cells(grid.completed(device))), ceiling)


@dataclass(frozen=True)
class _Bench:
    device: torch.device
    dtype: torch.dtype
    repeats: int
    impl: str
    cold_bytes: int
    without: Collection[str]

    def measure_all(self, wanted: Iterable[Cell], ceiling: float | None) -> Iterator[Measurement]:
        common = {
            "kind": "attention",
            **machine(KERNELS, self.device),
            "clock": clock_of(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "impl": self.impl,
        }
        ceiling = ceiling or copy_rate(self.device)
        for cell in wanted:
            yield {**common, **vars(cell), "copy_bytes_per_second": ceiling, **self.measure(cell)}

    def measure(self, cell: Cell) -> Measurement:
        _, kv_heads, width = HEADS[cell.model]
        token_bytes = 2 * kv_heads * width * self.dtype.itemsize
        shared_bytes = (cell.context + cell.rows * cell.own) * cell.prompts * token_bytes
        copies = self._cold_copies(shared_bytes)
        if lack := lack_of_memory(shared_bytes * copies * 3, self.device):
            return {"refused": lack}
        x = draw_inputs(cell, device=self.device, dtype=self.dtype, copies=copies)

        batch = prepare_batch(x.batch, self.device, impl=self.impl)

        def call(store: LayerStore) -> DecodeOutput:
            return bifurcated_decode(x.q, x.k_new, x.v_new, store, batch, x.lens, impl=self.impl)

        with torch.inference_mode():
            got, at = call(x.stores[0]), checked_rows(x.batch)
            expected = expected_rows(x)
            if wrong := expected.wrong(DecodeOutput(got.out[at], got.lse[at])):
                return {"refused": f"wrong result: {wrong}"}
            seconds = median_time([partial(call, store) for store in x.stores], self.device, self.repeats)
            least = shared_bytes + 2 * x.q.numel() * self.dtype.itemsize
            found: Measurement = {"seconds": seconds, "bytes": least, "bytes_per_second": least / seconds}
            if batch.impl in ("auto", "triton"):
                found["launches"] = launch_figures(x, self.repeats)
            return found | self._against_rivals(x, cell, expected, seconds)

    def _against_rivals(self, x: Inputs, cell: Cell, expected: Expected, seconds: float) -> Measurement:
        times: dict[str, float] = {}
        left_out: dict[str, str] = {}
        for name, make in attention_rivals.rivals_on(self.device).items():
            if name in self.without:
                continue
            try:
                found = self._rival(name, make, x, cell, expected)
            except Exception as error:
                found = reason_of(error)
            if isinstance(found, str):
                left_out[name] = found
            else:
                times[name] = found
        shared = (attention_rivals.EXPANDED, *attention_rivals.SHARING)
        singles = [name for name in times if name not in shared]
        return {
            "rival_seconds": times,
            "best_single": min(singles, key=times.__getitem__, default=None),
            "faster_than": {name: took / seconds for name, took in times.items()},
            "left_out": left_out,
        }

    def _rival(
        self, name: str, make: attention_rivals.Make, x: Inputs, cell: Cell, expected: Expected
    ) -> float | str:
        """Return seconds per call of a rival, or why it has no time."""
        heads = HEADS[cell.model].heads
        needed = attention_rivals.rival_bytes(name, x.stores[0], x.batch, cell.own + 1, heads)
        copies = min(self._cold_copies(needed), len(x.stores))
        if lack := lack_of_memory(2 * needed * copies, self.device):
            return lack
        made = [make(x.q, store, x.batch, cell.own + 1) for store in x.stores[:copies]]
        calls = [call for call in made if call is not None]
        if not calls:
            return "not installed"
        if wrong := expected.wrong_output(calls[0]()[checked_rows(x.batch)].unsqueeze(1)):
            return f"wrong result: {wrong}"
        return median_time(calls, self.device, self.repeats)

    def _cold_copies(self, size: int) -> int:
        """Return how many buffers of `size` bytes, read in turn, do not fit into a cache."""
        return -(-self.cold_bytes // size)
