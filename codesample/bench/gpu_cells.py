"""Single measurements of the GPU benchmark, each with how long it should take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from codesample.bench.attention_grid import Cell, Grid
from codesample.bench.attention_rivals import FLEX
from codesample.bench.attention_speed import measure_attention
from codesample.bench.decode_jobs import measure_job
from codesample.bench.decode_steps import measure_decode_step
from codesample.bench.measurements import Measurement
from codesample.bench.model_shapes import HEADS
from codesample.bench.model_step import measure_step
from codesample.bench.random_models import random_checkpoint
from codesample.bench.schedule_speed import measure_schedules
from codesample.bench.settings import AttentionOptions
from codesample.bench.step_profile import profile_step
from codesample.bench.workloads import Workload
from codesample.sampling.memory import free_memory

__all__ = ["GpuCell", "GpuCells"]

_METHODS = ("generate", "codesample")


@dataclass(frozen=True)
class GpuCell:
    """One measurement to be made.

    Attributes:
        identity: What tells its rows from all others.
        seconds: How long it should take, from expectations, not measurements.
        measure: Does it; yields rows without the identity.
    """

    identity: Measurement
    seconds: float
    measure: Callable[[], Iterable[Measurement]]


@dataclass(frozen=True)
class GpuCells:
    """Makes cells for one device.

    Attributes:
        device, dtype, impl: Of everything that is measured.
        ceiling: Bytes per second of a large copy.
        repeats: Timed rounds; the median is kept.
        cold_bytes: Least size of all keys and values that an attention cell reads in turn.
    """

    device: torch.device
    dtype: torch.dtype
    impl: str
    ceiling: float
    repeats: int
    cold_bytes: int

    def attention(self, model: str, rows: int, context: int, own: int, *, flex: bool = False) -> GpuCell:
        """Return attention of one layer beside its rivals, with `flex_attention` among them where asked."""
        grid = Grid([model], [rows], [context], [own], [1])
        options = AttentionOptions(
            impl=self.impl,
            repeats=self.repeats,
            device=str(self.device),
            dtype=str(self.dtype).removeprefix("torch."),
        )
        measure = partial(
            measure_attention,
            grid,
            options,
            ceiling=self.ceiling,
            cold_bytes=self.cold_bytes,
            without=() if flex else (FLEX,),
        )
        # it is compiled for every shape
        seconds = self._attention_seconds(model, rows, context + own) + (20 if flex else 0)
        return GpuCell(_identity("attention", model, rows, context), seconds, measure)

    def _attention_seconds(self, model: str, rows: int, tokens: int) -> float:
        """Mostly the rivals': one over expanded heads, four over the model's own."""
        heads, kv_heads, width = HEADS[model]
        per_head = 2 * rows * tokens * width * self.dtype.itemsize
        held = [count * per_head for count in (heads, *[kv_heads] * 4)]
        free = free_memory(self.device)
        # calls that are timed and warm up, and as much again to lay the keys out
        calls = 2 * 8 * (self.repeats + 2)
        return 4 + calls * sum(size for size in held if 2 * size < free) / self.ceiling

    def schedules(self, model: str, rows: int, context: int, own: int, *, seconds: float) -> GpuCell:
        """Return attention of one layer by each schedule."""
        measure = partial(
            measure_schedules,
            Cell(model, rows, context, own, 1),
            impl=self.impl,
            device=self.device,
            dtype=self.dtype,
            repeats=self.repeats,
            cold_bytes=self.cold_bytes,
        )
        return GpuCell(_identity("schedule", model, rows, context), seconds, measure)

    def step(self, model: str, rows: int, context: int, own: int, *, seconds: float) -> GpuCell:
        """Return a whole step of a private decoder beside a cascade; other rivals take long to compile."""
        measure = partial(
            measure_step,
            [model],
            rows=[rows],
            contexts=[context],
            device=self.device,
            dtype=self.dtype,
            own=own,
            repeats=self.repeats,
            impl=self.impl,
            ceiling=self.ceiling,
            without=(FLEX,),
        )
        return GpuCell(_identity("step", model, rows, context), seconds, measure)

    def sampler_step(self, model: str, rows: int, context: int, *, seconds: float) -> GpuCell:
        """Return the sampler's own step of a model of transformers, its weights made on the device."""

        def measure() -> Iterator[Measurement]:
            checkpoint = random_checkpoint(model, device=self.device, dtype=self.dtype)
            found = measure_decode_step(checkpoint, context, rows, most_rounds=5)
            yield {"copy_bytes_per_second": self.ceiling, "impl": "auto", **found}

        return GpuCell(_identity("sampler step", model, rows, context), seconds, measure)

    def profile(self, model: str, rows: int, context: int, own: int, *, seconds: float) -> GpuCell:
        """Return the kernels of a private decoder's step."""

        def measure() -> Iterator[Measurement]:
            yield {"impl": self.impl} | profile_step(
                model,
                rows=rows,
                context=context,
                own=own,
                device=self.device,
                dtype=self.dtype,
                impl=self.impl,
            )

        return GpuCell(_identity("profile", model, rows, context), seconds, measure)

    def job(self, model: str, name: str, workload: Workload, *, seconds: float) -> GpuCell:
        """Return a whole job beside `generate`."""

        def measure() -> Iterator[Measurement]:
            checkpoint = random_checkpoint(model, device=self.device, dtype=self.dtype)
            for found in measure_job(checkpoint, workload, methods=_METHODS, repeats=1):
                yield {"impl": "auto", "workload": name, "new": workload.new, **found}

        return GpuCell(_identity("job", model, workload.n, max(workload.lengths)), seconds, measure)


def _identity(kind: str, model: str, rows: int, context: int) -> Measurement:
    return {"kind": kind, "model": model, "rows": rows, "context": context}
