"""From names to a benchmark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch

from codesample.bench.decode_cells import STEP_CELLS, DecodeBench, Row
from codesample.bench.decode_methods import METHODS
from codesample.bench.model_shapes import SHAPES, WORKLOADS
from codesample.errors import UnknownNameError
from codesample.sampling.checkpoint import device_of, dtype_of

__all__ = ["measure"]


def measure(
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
) -> Iterator[Row]:
    """Yield the rows of a decode benchmark as they are measured.

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
    for kind, given, known in (
        ("shape", shapes, SHAPES),
        ("workload", workloads, WORKLOADS),
        ("method", methods, METHODS),
    ):
        _check_names(kind, given, known)
    bench = DecodeBench(repeats=repeats, dtype=dtype_of(dtype), device=device_of(device))
    bench.shapes = tuple(shapes) or bench.shapes
    bench.workloads = tuple(workloads) or bench.workloads
    bench.methods = tuple(methods) or bench.methods
    if threads is not None:
        torch.set_num_threads(threads)
    return _rows(bench, jobs=jobs, steps=steps, only=shapes)


def _rows(bench: DecodeBench, *, jobs: bool, steps: bool, only: Collection[str]) -> Iterator[Row]:
    if jobs:
        yield from bench.jobs()
    if steps:
        yield from bench.steps([cell for cell in STEP_CELLS if not only or cell[0] in only])


def _check_names(kind: str, given: Sequence[str], known: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            raise UnknownNameError(kind, name, known, f"Known: {', '.join(known)}")
