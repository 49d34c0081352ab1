"""From names to a benchmark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch

from codesample.errors import ParameterError, UnknownNameError
from codesample.sampling.bench.methods import METHODS
from codesample.sampling.bench.run import STEP_CELLS, DecodeBench, Row
from codesample.sampling.bench.shapes import SHAPES, WORKLOADS

__all__ = ["device_of", "dtype_of", "measure"]


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


def dtype_of(name: str) -> torch.dtype:
    """Return the torch dtype of that name.

    Raises:
        ParameterError: there is none.
    """
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ParameterError(f"dtype = {name!r}: expected float32, bfloat16 or float16")
    return found


def device_of(name: str) -> torch.device:
    """Return the device of that name; "auto" takes CUDA when there is one.

    Raises:
        ParameterError: no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(f"device = {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"device = {name!r}: this machine shows no CUDA device; use --device cpu")
    return found
