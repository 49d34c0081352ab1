"""Time decode attention of one layer beside what else computes it, after checking that it is right.

On a GPU a CUDA graph is replayed over several copies of the keys and values, so that none is found in the
L2 cache, and rates stand beside the rate of a large copy measured in the same run. No time is reported for
a result that is further from exact attention than rounding explains.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch

from codesample.bench import attention_rivals
from codesample.errors import ParameterError, UnknownNameError
from codesample.kernels.bifurcated_decode import (
    DecodeBatch,
    DecodeOutput,
    LayerStore,
    Segment,
    bifurcated_decode,
    prepare_batch,
)
from codesample.kernels.bifurcated_decode.rounding import beyond_rounding

__all__ = [
    "MODELS",
    "ON_CPU",
    "ON_GPU",
    "Cell",
    "Grid",
    "cells",
    "clock_of",
    "copy_rate",
    "facts",
    "free_memory",
    "measure_attention",
    "median_time",
    "reason_of",
]

Row = dict[str, Any]

# query heads, KV heads, head width
MODELS = {
    "7b-mha": (32, 32, 128),
    "mistral-7b": (32, 8, 128),
    "qwen2.5-coder-7b": (28, 4, 128),
    "qwen2.5-coder-1.5b": (12, 2, 128),
    "small-mha": (8, 8, 64),
    "small-gqa": (8, 2, 64),
}
_COLD_BYTES = 192 << 20
_CHECKED_ROWS = 3
_COPY_BYTES = 1 << 31


@dataclass(frozen=True)
class Cell:
    """One measurement: `rows` rows of each of `prompts` prompts of `context` tokens, `own` tokens per row."""

    model: str
    rows: int
    context: int
    own: int
    prompts: int


class Grid(NamedTuple):
    """Values whose product makes the cells."""

    models: Sequence[str]
    rows: Sequence[int]
    contexts: Sequence[int]
    own: Sequence[int]
    prompts: Sequence[int]


ON_GPU = Grid(
    models=("7b-mha", "mistral-7b", "qwen2.5-coder-7b", "qwen2.5-coder-1.5b"),
    rows=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    contexts=(512, 2048, 8192, 16384, 32768, 65536),
    own=(16, 128, 512),
    prompts=(1, 8),
)
ON_CPU = Grid(
    models=("small-mha", "small-gqa"),
    rows=(1, 2, 8, 32, 64),
    contexts=(128, 512, 2048, 4096),
    own=(32,),
    prompts=(1,),
)


class _Inputs(NamedTuple):
    q: torch.Tensor
    k_new: torch.Tensor
    v_new: torch.Tensor
    stores: list[LayerStore]
    batch: DecodeBatch
    lens: torch.Tensor


def cells(grid: Grid) -> Iterator[Cell]:
    """Yield the cells of a grid, the small ones of each model first.

    Raises:
        UnknownNameError: no such model.
    """
    for name in grid.models:
        if name not in MODELS:
            raise UnknownNameError("model", name, MODELS, f"Known: {', '.join(MODELS)}")
    for model in grid.models:
        for prompts, context, rows, own in product(grid.prompts, grid.contexts, grid.rows, grid.own):
            yield Cell(model, rows, context, own, prompts)


def measure_attention(
    wanted: Iterable[Cell],
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
    repeats: int = 20,
    impl: str = "auto",
) -> Iterator[Row]:
    """Yield one row of figures per cell as it is measured, the slower cells included.

    Args:
        wanted: What to measure.
        device: Where.
        dtype: Default: bf16 on a GPU, fp32 on a CPU.
        repeats: Timed rounds; the median is kept.
        impl: Implementation under test, see `bifurcated_decode`.

    Yields:
        Seconds per call and layer, bytes that must be read and written, their rate, the copy ceiling, ratios
        to each rival ("faster_than"), versions. A cell that does not fit memory or whose result is wrong has
        "refused" in place of figures.
    """
    if repeats < 1:
        raise ParameterError(f"repeats = {repeats}; expected at least 1")
    dtype = dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)
    common = {
        "kind": "attention",
        **facts(device),
        "clock": clock_of(device),
        "dtype": str(dtype).removeprefix("torch."),
        "impl": impl,
    }
    ceiling = copy_rate(device)
    for cell in wanted:
        yield {
            **common,
            **vars(cell),
            "copy_bytes_per_second": ceiling,
            **_measure(cell, device, dtype, repeats, impl),
        }


def _measure(cell: Cell, device: torch.device, dtype: torch.dtype, repeats: int, impl: str) -> Row:
    _, kv_heads, width = MODELS[cell.model]
    token_bytes = 2 * kv_heads * width * dtype.itemsize
    shared_bytes = (cell.context + cell.rows * cell.own) * cell.prompts * token_bytes
    copies = -(-_COLD_BYTES // shared_bytes)
    free = free_memory(device)
    if shared_bytes * copies * 3 > free:
        return {"refused": f"needs {shared_bytes * copies * 3 / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"}
    x = _draw(cell, device, dtype, copies)
    batch = prepare_batch(x.batch, device, impl=impl)

    def call(store: LayerStore) -> DecodeOutput:
        return bifurcated_decode(x.q, x.k_new, x.v_new, store, batch, x.lens, impl=impl)

    with torch.inference_mode():
        got = call(x.stores[0])
        exact, plain = _oracle(x)
        at = _checked(x.batch)
        wrong = beyond_rounding(got.out[at], exact.out, plain.out) or beyond_rounding(
            got.lse[at], exact.lse, plain.lse
        )
        if wrong:
            return {"refused": f"wrong result: {wrong}"}
        seconds = median_time([partial(call, store) for store in x.stores], device, repeats)
        least = shared_bytes + 2 * x.q.numel() * dtype.itemsize
        found: Row = {"seconds": seconds, "bytes": least, "bytes_per_second": least / seconds}
        return {**found, **_against_rivals(x, cell, exact.out, plain.out, seconds, device, repeats)}


def _against_rivals(
    x: _Inputs,
    cell: Cell,
    exact: torch.Tensor,
    plain: torch.Tensor,
    seconds: float,
    device: torch.device,
    repeats: int,
) -> Row:
    times: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name, make in attention_rivals.rivals_on(device).items():
        heads = MODELS[cell.model][0 if name == attention_rivals.EXPANDED else 1]
        needed = attention_rivals.per_row_bytes(x.stores[0], x.batch, cell.own + 1, heads)
        copies = min(-(-_COLD_BYTES // needed), len(x.stores))
        if 2 * needed * copies > free_memory(device):
            left_out[name] = f"needs {2 * needed * copies / 1e9:.1f} GB"
            continue
        try:
            made = [make(x.q, store, x.batch, cell.own + 1) for store in x.stores[:copies]]
            calls = [call for call in made if call is not None]
            if not calls:
                left_out[name] = "not installed"
                continue
            wrong = beyond_rounding(calls[0]()[_checked(x.batch)].unsqueeze(1), exact, plain)
            if wrong:
                left_out[name] = f"wrong result: {wrong}"
            else:
                times[name] = median_time(calls, device, repeats)
        except Exception as error:
            left_out[name] = reason_of(error)
    singles = [name for name in times if name not in (attention_rivals.EXPANDED, attention_rivals.CASCADE)]
    return {
        "rival_seconds": times,
        "best_single": min(singles, key=times.__getitem__, default=None),
        "faster_than": {name: t / seconds for name, t in times.items()},
        "left_out": left_out,
    }


def _draw(cell: Cell, device: torch.device, dtype: torch.dtype, copies: int) -> _Inputs:
    heads, kv_heads, width = MODELS[cell.model]
    rows = cell.rows * cell.prompts
    generator = torch.Generator(device).manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, device=device, dtype=dtype)

    segments = [
        Segment(i * cell.context, cell.context, i * cell.rows, (i + 1) * cell.rows, 0)
        for i in range(cell.prompts)
    ]
    batch = DecodeBatch.build(segments, slots=range(rows), own_starts=[cell.context] * rows)
    shared, own = (
        (kv_heads, cell.prompts * cell.context, width),
        (rows, kv_heads, -(-(cell.own + 1) // 16) * 16, width),
    )
    stores = [LayerStore(draw(*shared), draw(*shared), draw(*own), draw(*own)) for _ in range(copies)]
    new = (rows, 1, kv_heads, width)
    lens = torch.full((rows,), cell.own, dtype=torch.int32, device=device)
    return _Inputs(draw(rows, 1, heads, width), draw(*new), draw(*new), stores, batch, lens)


def _checked(batch: DecodeBatch) -> list[int]:
    return sorted({int(i * (batch.rows - 1) / (_CHECKED_ROWS - 1)) for i in range(_CHECKED_ROWS)})


def _oracle(x: _Inputs) -> tuple[DecodeOutput, DecodeOutput]:
    """Compute a few rows by the definition, in fp64 and in the dtype of the inputs."""
    at, store = _checked(x.batch), x.stores[0]
    found = []
    for dtype in (torch.float64, x.q.dtype):
        outputs = []
        for row in at:
            (s,) = x.batch.chain(row)
            pools = [pool[:, s.start : s.start + s.length].to(dtype) for pool in store[:2]]
            own = [pool[row : row + 1].to(dtype) for pool in store[2:]]
            alone = DecodeBatch.build([Segment(0, s.length, 0, 1, 0)], slots=[0], own_starts=[s.length])
            mine = slice(row, row + 1)
            q, k_new, v_new = (t[mine].to(dtype) for t in (x.q, x.k_new, x.v_new))
            lone = LayerStore(*pools, *own)
            outputs.append(bifurcated_decode(q, k_new, v_new, lone, alone, x.lens[mine], impl="reference"))
        found.append(DecodeOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True))))
    return found[0], found[1]


def median_time(
    calls: Sequence[Callable[[], Any]], device: torch.device, repeats: int, rounds: int | None = None
) -> float:
    """Return median seconds per call; on a GPU of calls in a CUDA graph that repeats them `rounds` times."""
    for call in calls:
        call()
    if device.type != "cuda":
        clock, taken = _cpu_clock(), []
        for _ in range(repeats):
            for call in calls:
                begin = clock()
                call()
                taken.append(clock() - begin)
        return statistics.median(taken)
    # one call over one buffer would find it in the cache; a graph of few calls is mostly its own launch
    rounds = rounds or max(1, 8 // len(calls))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(rounds):
            for call in calls:
                call()
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    taken = []
    for _ in range(repeats + 2):
        started.record()
        graph.replay()
        ended.record()
        ended.synchronize()
        taken.append(started.elapsed_time(ended) / 1e3 / (rounds * len(calls)))
    return statistics.median(taken[2:])


def _cpu_clock() -> Callable[[], float]:
    # of one thread, the time it ran is what it took, whatever else the machine was doing
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def copy_rate(device: torch.device) -> float:
    """Return bytes per second, read plus written, of the largest copy that is quick to make."""
    size = _COPY_BYTES if device.type == "cuda" else _COPY_BYTES // 16
    source = torch.empty(size, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    return 2 * size / median_time([lambda: target.copy_(source)], device, 10)


def free_memory(device: torch.device) -> int:
    """Return bytes that may still be taken; on a CPU three quarters of what is available."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024 * 3 // 4
    raise ParameterError("/proc/meminfo does not state MemAvailable; the benchmark needs Linux")


def clock_of(device: torch.device) -> str:
    """Name the clock of `median_time`."""
    return "CUDA events" if device.type == "cuda" else _cpu_clock().__name__


def facts(device: torch.device) -> Row:
    """Return what a row must say about where and with what it was measured."""
    here = Path(__file__).resolve().parent
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine()
    )
    return {
        "device": name,
        "commit": git.stdout.strip() or None,
        "torch": torch.__version__,
        "triton": _version("triton"),
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def reason_of(error: Exception) -> str:
    """Say in one line what went wrong, for a row that has no figure."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].removesuffix(": ")[:160]
