"""Runs the cells, checks what methods draw before any speed is kept, and yields one row per measurement."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel

from codesample.bench.attention import facts, reason_of
from codesample.bench.decode_methods import METHODS, Drawn
from codesample.bench.decode_steps import TOLERANCES, StepBench
from codesample.bench.model_shapes import WORKLOADS, Workload, random_checkpoint
from codesample.errors import CodesampleError
from codesample.sampling.attention_probe import probe_shared_path
from codesample.sampling.kv_store import token_bytes
from codesample.sampling.memory import free_memory

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

# enough that rows of several prompts decode together in every method
_CHECKED_ROWS, _CHECKED_TOKENS = 4, 6


def machine(device: torch.device) -> Row:
    """Say on what and with what a row was measured."""
    return {
        **facts(device),
        "transformers": transformers.__version__,
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
        """Yield a row per cell: milliseconds per step by method, and of the attention alone.

        A ratio is the median over rounds of a method's time over codesample's in the same round; the lowest
        and the highest stand beside it.
        """
        for shape in dict.fromkeys(cell[0] for cell in cells):
            model = random_checkpoint(shape, device=self.device, dtype=self.dtype)
            for _, context, rows in (cell for cell in cells if cell[0] == shape):
                row = {"kind": "step", "shape": shape, "context": context, "n": rows}
                yield row | self._cell(model, context, rows) | self._facts()

    def _facts(self) -> Row:
        return machine(self.device) | {"dtype": str(self.dtype).removeprefix("torch.")}

    def _cell(self, model: PreTrainedModel, context: int, rows: int) -> Row:
        try:
            bench = StepBench(model, context, rows)
            times = bench.run()
            attention = bench.attention()
        except (CodesampleError, MemoryError, RuntimeError) as error:
            return {"refused": reason_of(error)}
        if "codesample" in times.left_out:
            return {"refused": times.left_out["codesample"]}
        ratios = times.ratios("codesample")
        return {
            "ms": {method: round(took, 2) for method, took in times.ms().items()},
            "attention_ms": round(attention, 2),
            "rounds": len(times.rounds["codesample"]),
            "ratio": {method: round(median(found), 2) for method, found in ratios.items()},
            "ratio_low": {method: round(found[0], 2) for method, found in ratios.items()},
            "ratio_high": {method: round(found[-1], 2) for method, found in ratios.items()},
            "left_out": times.left_out,
        }

    def _job(self, model: PreTrainedModel, shape: str, name: str, workload: Workload) -> Iterator[Row]:
        prompts = workload.prompts(model.config.get_text_config().vocab_size)
        refused = {method: self._refusal(model, method, prompts, workload) for method in self.methods}
        runs: dict[str, list[tuple[float, Drawn, int]]] = {method: [] for method in self.methods}
        for _ in range(self.repeats):
            for method in (method for method in self.methods if not refused[method]):
                try:
                    runs[method].append(_measured(model, method, prompts, workload, self.device))
                except Exception as error:
                    refused[method] = reason_of(error)
        seconds = {
            method: sorted(r[0] for r in got)[len(got) // 2]
            for method, got in runs.items()
            if not refused[method]
        }
        for method in self.methods:
            row: Row = {"kind": "job", "shape": shape, "workload": name, "n": workload.n, "method": method}
            if refused[method]:
                yield row | {"refused": refused[method]} | self._facts()
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
                **self._facts(),
            }

    def _refusal(
        self, model: PreTrainedModel, method: str, prompts: Sequence[Sequence[int]], workload: Workload
    ) -> str:
        """Return why no speed of `method` may be shown; "" where its greedy tokens are right.

        Checked are a few candidates of every prompt, drawn as the timed ones are, all in one call.
        """
        needed, free = _bytes_without_sharing(model, method, prompts, workload), free_memory(self.device)
        if method != "codesample" and needed > free:
            return f"needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
        n = min(workload.n, _CHECKED_ROWS)
        try:
            drawn = METHODS[method](model, prompts, n, _CHECKED_TOKENS, True).tokens
            return _wrong_tokens(model, prompts, drawn, n)
        except Exception as error:
            return reason_of(error)


def _bytes_without_sharing(
    model: PreTrainedModel, method: str, prompts: Sequence[Sequence[int]], workload: Workload
) -> int:
    """Keys and values of rows that share nothing, and half as much for what is computed beside them."""
    tokens = [workload.n * (len(prompt) + workload.new) for prompt in prompts]
    together = sum(tokens) if method == "generate_batch" else max(tokens)
    return together * token_bytes(probe_shared_path(model).kv_shapes, model.dtype) * 3 // 2


@torch.inference_mode()
def _wrong_tokens(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], drawn: Sequence[Tensor], n: int
) -> str:
    """Return what is wrong with greedy tokens: "" if each is the likeliest behind those before it.

    Judged by the model's plain forward pass. Rounding moves single logits by up to five times what it moves
    their norm by, so a token may miss the largest by twice the tolerance each way.
    """
    for prompt, rows in zip(prompts, drawn, strict=True):
        if rows.shape != (n, _CHECKED_TOKENS):
            return f"{list(rows.shape)} tokens for [{n}, {_CHECKED_TOKENS}]"
        for row in rows.to(model.device).unique(dim=0):
            ids = torch.tensor([[*prompt, *row[:-1].tolist()]], device=model.device)
            logits = model(ids, use_cache=False, logits_to_keep=len(row)).logits[0].float()
            missed = (logits.amax(-1) - logits.gather(-1, row[:, None])[:, 0]).amax()
            if missed > 4 * TOLERANCES[model.dtype] * logits.square().mean().sqrt():
                return f"greedy tokens are not the likeliest: a logit is {float(missed):.2g} too small"
    return ""


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
