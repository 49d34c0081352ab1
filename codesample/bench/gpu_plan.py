"""What the GPU benchmark measures, in order of worth; and its rehearsal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch

from codesample.bench.attention_speed import COLD_BYTES
from codesample.bench.gpu_cells import GpuCell, GpuCells
from codesample.bench.kernel_checks import LARGE, SMALL, Check, kernel_checks, schedule_checks, storage_checks
from codesample.bench.sampler_checks import sampler_checks
from codesample.bench.workloads import WORKLOADS, Workload
from codesample.kernels.bifurcated_decode import usable_impls

__all__ = ["GpuPlan", "gpu_plan", "rehearsal_plan"]

_OWN = 64


@dataclass(frozen=True)
class GpuPlan:
    """What is done on a device, in order.

    Attributes:
        device: Where.
        rehearsal: Whether it is no GPU, so that no figure counts.
        checks: What must hold before anything is timed.
        cells: Makes what is measured then, given the bytes per second of a large copy.
    """

    device: torch.device
    rehearsal: bool
    checks: Sequence[Check]
    cells: Callable[[float], Iterator[GpuCell]]


def gpu_plan(device: torch.device) -> GpuPlan:
    """Return what is done on a GPU with room for a 7B model: about ten minutes on an H200, in bf16."""
    dtypes = torch.bfloat16, torch.float32
    checks = [
        *kernel_checks(LARGE, impl="triton", device=device, dtypes=dtypes[:1], seconds=6),
        *kernel_checks(LARGE[1:], impl="triton", device=device, dtypes=dtypes[1:], seconds=6),
        *schedule_checks((LARGE[2], LARGE[4]), impl="triton", device=device, dtypes=dtypes[:1], seconds=2),
        *storage_checks(LARGE[2:3], impl="triton", device=device, dtype=dtypes[0], seconds=2),
        *sampler_checks(prompts=(40, 7, 2500), device=device, seconds=8),
    ]
    return GpuPlan(device, False, checks, partial(_gpu_cells, device))


def rehearsal_plan() -> GpuPlan:
    """Return the same in small for a CPU; the Triton kernels take part in Triton's interpreter."""
    device = torch.device("cpu")
    impl = "triton" if "triton" in usable_impls(device) else "torch"
    # the interpreter multiplies bits where it should multiply bf16
    dtypes = torch.float16, torch.float32
    checks = [
        *kernel_checks(SMALL, impl=impl, device=device, dtypes=dtypes, seconds=1),
        *schedule_checks(SMALL, impl=impl, device=device, dtypes=dtypes[1:], seconds=1),
        *storage_checks(SMALL, impl=impl, device=device, dtype=dtypes[1], seconds=1),
        *sampler_checks(prompts=(40, 7), device=device, seconds=1),
    ]
    return GpuPlan(device, True, checks, partial(_small_cells, device, impl))


def _gpu_cells(device: torch.device, ceiling: float) -> Iterator[GpuCell]:
    made = GpuCells(device, torch.bfloat16, "triton", ceiling, repeats=10, cold_bytes=COLD_BYTES)
    models, contexts = ("7b-mha", "mistral-7b", "qwen2.5-coder-7b"), (8192, 32768)
    for context, model in product(contexts, models):
        yield made.attention(model, 32, context, _OWN, flex=context == contexts[0] and model != models[-1])
    # the first one compiles what stands between attention
    yield made.step("7b-mha", 32, 8192, _OWN, seconds=50)
    yield made.step("mistral-7b", 32, 8192, _OWN, seconds=30)
    yield made.sampler_step("7b-mha", 32, 8192, seconds=50)
    for context in contexts[1:]:
        yield made.step("7b-mha", 32, context, _OWN, seconds=30)
        yield made.step("mistral-7b", 32, context, _OWN, seconds=30)
    yield made.step("7b-mha", 256, 8192, _OWN, seconds=40)
    yield made.sampler_step("mistral-7b", 32, 8192, seconds=50)
    for model in ("starcoder-15b", "qwen2.5-coder-7b", "mistral-7b"):
        yield made.schedules(model, 8, 32768, _OWN, seconds=7)
    for rows, context, model in product((8, 128, 1), contexts, models):
        yield made.attention(model, rows, context, _OWN)
    yield made.profile("mistral-7b", 32, 8192, _OWN, seconds=20)
    for model in ("mistral-7b", "7b-mha"):
        yield made.job(model, "2k", WORKLOADS["2k"], seconds=45)


def _small_cells(device: torch.device, impl: str, ceiling: float) -> Iterator[GpuCell]:
    made = GpuCells(device, torch.float32, impl, ceiling, repeats=1, cold_bytes=1)
    for model in ("small-mha", "small-gqa"):
        yield made.attention(model, 3, 48, 5)
    yield made.schedules("small-gqa", 3, 48, 5, seconds=1)
    yield made.step("tiny", 2, 24, 4, seconds=1)
    yield made.sampler_step("tiny", 2, 24, seconds=3)
    yield made.profile("tiny", 2, 24, 4, seconds=1)
    yield made.job("tiny", "small", Workload(0, (24,), 2, 4), seconds=2)
