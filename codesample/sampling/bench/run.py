"""Runs the cells, checks that methods agree before any speed is kept, and yields one row per measurement."""

from __future__ import annotations

import platform
import resource
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

from codesample.errors import CodesampleError
from codesample.sampling.bench.methods import METHODS, Drawn
from codesample.sampling.bench.shapes import WORKLOADS, Workload, random_checkpoint
from codesample.sampling.bench.steps import StepBench

__all__ = ["STEP_CELLS", "DecodeBench", "Row", "machine"]

Row = dict[str, Any]

STEP_CELLS = (
    *(("0.1b-mha", 2048, n) for n in (1, 2, 4, 8, 16, 32, 64, 128, 256)),
    ("0.1b-mha", 128, 2),
    ("0.1b-mha", 128, 32),
    ("0.1b-gqa", 128, 2),
    ("0.1b-gqa", 4096, 32),
)
"""(shape, context, n) of the cells of single steps."""

_CHECKED_TOKENS = 6


def machine() -> Row:
    """Say on what a row was measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return {
        "commit": commit,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": device,
        "threads": torch.get_num_threads(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


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
    device: torch.device = field(
        default_factory=lambda: torch.device("cuda" if torch.cuda.is_available() else "cpu")
    )
    dtype: torch.dtype = torch.float32

    def jobs(self) -> Iterator[Row]:
        """Yield a row per shape, workload and method: seconds, tokens/s, first token, peak memory, ratio."""
        for shape in self.shapes:
            model = random_checkpoint(shape, device=self.device, dtype=self.dtype)
            for name in self.workloads:
                yield from self._job(model, shape, name, WORKLOADS[name])

    def steps(self, cells: Sequence[tuple[str, int, int]] = STEP_CELLS) -> Iterator[Row]:
        """Yield a row per cell: milliseconds per step by method, and of the attention alone."""
        for shape in dict.fromkeys(cell[0] for cell in cells):
            model = random_checkpoint(shape, device=self.device, dtype=self.dtype)
            for _, context, rows in (cell for cell in cells if cell[0] == shape):
                bench = StepBench(model, context, rows)
                times = bench.run()
                ours = times["codesample"]
                yield {
                    "kind": "step",
                    "shape": shape,
                    "context": context,
                    "n": rows,
                    "ms": {method: round(ms, 2) for method, ms in times.items()},
                    "attention_ms": round(bench.attention(), 2),
                    "ratio": {method: round(ms / ours, 2) for method, ms in times.items()},
                    **machine(),
                }
                del bench

    def _job(self, model: PreTrainedModel, shape: str, name: str, workload: Workload) -> Iterator[Row]:
        prompts = workload.prompts(model.config.get_text_config().vocab_size)
        refused = {method: self._disagreement(model, method, prompts, workload) for method in self.methods}
        runs: dict[str, list[tuple[float, Drawn, int]]] = {method: [] for method in self.methods}
        for _ in range(self.repeats):
            for method in self.methods:
                if not refused[method]:
                    runs[method].append(_measured(model, method, prompts, workload, self.device))
        seconds = {method: sorted(r[0] for r in got)[len(got) // 2] for method, got in runs.items() if got}
        for method in self.methods:
            row: Row = {"kind": "job", "shape": shape, "workload": name, "n": workload.n, "method": method}
            if refused[method]:
                yield row | {"refused": refused[method]} | machine()
                continue
            tokens = len(prompts) * workload.n * workload.new
            yield row | {
                "seconds": round(seconds[method], 3),
                "tokens_per_second": round(tokens / seconds[method], 1),
                "first_token_seconds": round(min(r[1].first for r in runs[method]), 3),
                "peak_extra_mib": round(max(r[2] for r in runs[method]) / 2**20, 1),
                "codesample_is_faster_by": round(seconds[method] / seconds["codesample"], 2)
                if "codesample" in seconds
                else None,
                **machine(),
            }

    def _disagreement(
        self, model: PreTrainedModel, method: str, prompts: Sequence[Sequence[int]], workload: Workload
    ) -> str:
        """Return why no speed of `method` may be shown: "" when its greedy tokens are those of `generate`."""
        shortest = [min(prompts, key=len)]
        expected = METHODS["generate"](model, shortest, 2, _CHECKED_TOKENS, True).tokens[0]
        try:
            got = METHODS[method](model, shortest, 2, _CHECKED_TOKENS, True).tokens[0]
        except (CodesampleError, RuntimeError, ValueError, ImportError, AttributeError, TypeError) as error:
            return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"
        return "" if torch.equal(got.cpu(), expected.cpu()) else "greedy tokens differ from those of generate"


def _measured(
    model: PreTrainedModel,
    method: str,
    prompts: Sequence[Sequence[int]],
    workload: Workload,
    device: torch.device,
) -> tuple[float, Drawn, int]:
    """Return seconds, what was drawn, and the peak of memory above what was held before, in bytes."""
    with _PeakMemory(device) as memory:
        begun = time.perf_counter()
        drawn = METHODS[method](model, prompts, workload.n, workload.new, False)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begun
    assert all(t.shape == (workload.n, workload.new) for t in drawn.tokens), f"{method} drew too little"
    return seconds, drawn, memory.peak


class _PeakMemory:
    """Peak memory inside a block above what was held before: torch's own on CUDA, else resident pages."""

    def __init__(self, device: torch.device) -> None:
        self._device, self.peak = device, 0
        self._stop = threading.Event()

    def __enter__(self) -> _PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        else:
            self._before = _resident()
            self._watch = threading.Thread(target=self._look, daemon=True)
            self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._device.type == "cuda":
            self.peak = torch.cuda.max_memory_allocated() - self._before
        else:
            self._stop.set()
            self._watch.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, _resident() - self._before)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
