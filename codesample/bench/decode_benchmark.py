"""The decode benchmark: from names of shapes, workloads and methods to measurements of jobs and of steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from codesample.bench.decode_jobs import measure_job
from codesample.bench.decode_methods import METHODS
from codesample.bench.decode_steps import measure_decode_step
from codesample.bench.machine import MODELS, machine
from codesample.bench.measurements import Measurement
from codesample.bench.random_models import SHAPES, random_checkpoint
from codesample.bench.workloads import WORKLOADS
from codesample.errors import UnknownNameError
from codesample.sampling.checkpoint import device_of, dtype_of

__all__ = ["STEP_CELLS", "DecodeBench", "measure_decode"]

STEP_CELLS = (
    *(("0.1b-mha", 2048, n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    ("0.1b-mha", 128, 2),
    ("0.1b-mha", 128, 32),
    ("0.1b-gqa", 128, 2),
    ("0.1b-gqa", 4096, 32),
)
"""(shape, context, n) of the cells of single steps."""


def measure_decode(
    *,
    shapes: Sequence[str] = (),
    workloads: Sequence[str] = (),
    methods: Sequence[str] = (),
    repeats: int = 1,
    jobs: bool = True,
    steps: bool = True,
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
) -> Iterator[Measurement]:
    """Yield the results of a decode benchmark as they are measured.

    Args:
        shapes, workloads, methods: Names; none means the usual ones.
        repeats: Timed runs of each; medians are kept.
        jobs, steps: Whether whole jobs and single steps are measured.
        device: "auto" takes CUDA when there is one.
        dtype: Name of a torch dtype.
        threads: Of torch, from here on; None leaves them as they are.

    Raises:
        UnknownNameError: no such shape, workload or method.
        ParameterError: no such device or dtype.
    """
    _check_names("shape", shapes, SHAPES)
    _check_names("workload", workloads, WORKLOADS)
    _check_names("method", methods, METHODS)
    bench = DecodeBench(repeats=repeats, dtype=dtype_of(dtype), device=device_of(device))
    bench.shapes = tuple(shapes) or bench.shapes
    bench.workloads = tuple(workloads) or bench.workloads
    bench.methods = tuple(methods) or bench.methods
    if threads is not None:
        torch.set_num_threads(threads)
    return _measurements(bench, jobs=jobs, steps=steps, only=shapes)


def _measurements(
    bench: DecodeBench, *, jobs: bool, steps: bool, only: Collection[str]
) -> Iterator[Measurement]:
    if jobs:
        yield from bench.jobs()
    if steps:
        yield from bench.steps([cell for cell in STEP_CELLS if not only or cell[0] in only])


def _check_names(kind: str, given: Sequence[str], known: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            raise UnknownNameError(kind, name, known, f"Known: {', '.join(known)}")


@dataclass
class DecodeBench:
    """What to measure.

    Attributes:
        shapes, workloads, methods: Names; see `SHAPES`, `WORKLOADS`, `METHODS`.
        repeats: Timed runs per method, interleaved; medians are kept.
        device, dtype: Of the checkpoints.
    """

    shapes: Sequence[str] = ("0.1b-mha", "0.1b-gqa")
    workloads: Sequence[str] = tuple(WORKLOADS)
    methods: Sequence[str] = tuple(METHODS)
    repeats: int = 1
    device: torch.device = field(default_factory=lambda: device_of("auto"))
    dtype: torch.dtype = torch.float32

    def jobs(self) -> Iterator[Measurement]:
        """Yield the figures of `measure_job` for each shape, workload and method."""
        for shape in self.shapes:
            model = random_checkpoint(shape, device=self.device, dtype=self.dtype)
            for name in self.workloads:
                workload = WORKLOADS[name]
                cell = {"kind": "job", "shape": shape, "workload": name, "n": workload.n}
                for found in measure_job(model, workload, methods=self.methods, repeats=self.repeats):
                    yield cell | found | self._facts()

    def steps(self, cells: Sequence[tuple[str, int, int]] = STEP_CELLS) -> Iterator[Measurement]:
        """Yield the figures of `measure_decode_step` for each (shape, context, n)."""
        for shape in dict.fromkeys(cell[0] for cell in cells):
            model = random_checkpoint(shape, device=self.device, dtype=self.dtype)
            for _, context, n in (cell for cell in cells if cell[0] == shape):
                cell = {"kind": "step", "shape": shape, "context": context, "n": n}
                yield cell | measure_decode_step(model, context, n) | self._facts()

    def _facts(self) -> Measurement:
        return machine(MODELS, self.device) | {"dtype": str(self.dtype).removeprefix("torch.")}
