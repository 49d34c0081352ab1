"""How long things take: one call on one device, and several ways that take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

__all__ = ["clock_of", "copy_rate", "median_time", "now"]

_COPY_BYTES = 1 << 31


def now(device: torch.device) -> float:
    """Return seconds on a clock, read when all work that was given to `device` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


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
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph):
            for _ in range(rounds):
                for call in calls:
                    call()
    except BaseException:
        # a capture that cannot be ended leaves its own stream behind, on which nothing else should be timed
        torch.cuda.set_stream(stream)
        raise
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    taken = []
    for _ in range(repeats + 2):
        started.record()
        graph.replay()
        ended.record()
        ended.synchronize()
        taken.append(started.elapsed_time(ended) / 1e3 / (rounds * len(calls)))
    return statistics.median(taken[2:])


def clock_of(device: torch.device) -> str:
    """Name the clock of `median_time`."""
    return "CUDA events" if device.type == "cuda" else _cpu_clock().__name__


def _cpu_clock() -> Callable[[], float]:
    # of one thread, the time it ran is what it took, whatever else the machine was doing
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def copy_rate(device: torch.device) -> float:
    """Return bytes per second, read plus written, of the largest copy that is quick to make."""
    size = _COPY_BYTES if device.type == "cuda" else _COPY_BYTES // 16
    source = torch.empty(size, dtype=torch.uint8, device=device).fill_(1)
    target = torch.empty_like(source)
    return 2 * size / median_time([lambda: target.copy_(source)], device, 10)
