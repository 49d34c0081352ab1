"""The decode benchmark: from names of shapes, workloads and methods to measurements of jobs and of steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from transformers import PreTrainedModel

from codesample.bench.decode_jobs import measure_job
from codesample.bench.decode_methods import METHODS
from codesample.bench.decode_steps import measure_decode_step
from codesample.bench.machine import MODELS, machine
from codesample.bench.measurements import Measurement
from codesample.bench.memory_use import lack_of_memory
from codesample.bench.random_models import SHAPES, checkpoint_bytes, random_checkpoint
from codesample.bench.settings import DecodeOptions, dtype_on, expect_known
from codesample.bench.workloads import WORKLOADS
from codesample.errors import ParameterError
from codesample.sampling.devices import device_of

__all__ = ["STEP_CELLS", "USUAL_SHAPES", "measure_decode", "measure_jobs", "measure_steps"]

USUAL_SHAPES = ("0.1b-mha", "0.1b-gqa")
"""Shapes of whole jobs where none are named."""

STEP_CELLS = (
    *(("0.1b-mha", 2048, n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    ("0.1b-mha", 128, 2),
    ("0.1b-mha", 128, 32),
    ("0.1b-gqa", 128, 2),
    ("0.1b-gqa", 4096, 32),
)
"""(shape, context, n) of the cells of single steps."""


def measure_decode(options: DecodeOptions) -> Iterator[Measurement]:
    """Yield what was asked for as it is measured: first jobs, then steps.

    Raises:
        UnknownNameError: no such shape, workload or method.
        ParameterError: no such device or dtype, or a shape for whose weights there is no memory.
    """
    expect_known("shape", options.shapes, SHAPES)
    expect_known("workload", options.workloads, WORKLOADS)
    expect_known("method", options.methods, METHODS)
    device = device_of(options.device)
    dtype = dtype_on(device, options.dtype)
    for shape in options.shapes:
        if lack := lack_of_memory(checkpoint_bytes(shape, dtype), device):
            raise ParameterError(f"shape = {shape!r} in {str(dtype).removeprefix('torch.')} {lack}")
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    jobs = measure_jobs(options) if options.jobs else ()
    steps = measure_steps(options) if options.steps else ()
    return chain(jobs, steps)


def measure_jobs(options: DecodeOptions) -> Iterator[Measurement]:
    """Yield the figures of `measure_job` for each shape, workload and method."""
    for shape in options.shapes or USUAL_SHAPES:
        model = _checkpoint(shape, options)
        for name in options.workloads or WORKLOADS:
            workload = WORKLOADS[name]
            cell = {"kind": "job", "shape": shape, "workload": name, "n": workload.n}
            for found in measure_job(
                model, workload, methods=options.methods or tuple(METHODS), repeats=options.repeats
            ):
                yield cell | found | _facts(model)


def measure_steps(
    options: DecodeOptions, cells: Sequence[tuple[str, int, int]] | None = None
) -> Iterator[Measurement]:
    """Yield the figures of `measure_decode_step` for each cell of the shapes asked for.

    Args:
        options: Of which the shapes, the device and the dtype matter.
        cells: (shape, context, n); None means `STEP_CELLS`.
    """
    wanted = [cell for cell in cells or STEP_CELLS if not options.shapes or cell[0] in options.shapes]
    for shape in dict.fromkeys(shape for shape, _, _ in wanted):
        model = _checkpoint(shape, options)
        for context, n in (cell[1:] for cell in wanted if cell[0] == shape):
            cell = {"kind": "step", "shape": shape, "context": context, "n": n}
            yield cell | measure_decode_step(model, context, n) | _facts(model)


def _checkpoint(shape: str, options: DecodeOptions) -> PreTrainedModel:
    device = device_of(options.device)
    return random_checkpoint(shape, device=device, dtype=dtype_on(device, options.dtype))


def _facts(model: PreTrainedModel) -> Measurement:
    return machine(MODELS, model.device) | {"dtype": str(model.dtype).removeprefix("torch.")}
