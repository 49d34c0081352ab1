"""How much of a sampling loop's time is not the model's: token choice, text, bookkeeping, planning."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from functools import wraps
from operator import itemgetter
from typing import Any

from codesample.bench.machine import MODELS, machine
from codesample.bench.measurements import Measurement
from codesample.errors import ModelError, ParameterError
from codesample.records import Request, SamplingParams
from codesample.sampling.sampler import Sampler

__all__ = ["loop_overhead", "loop_profile", "measure_loop"]

_PROFILED = 25


def measure_loop(
    sampler: Sampler, requests: Sequence[Request], params: SamplingParams, *, task: str, repeats: int = 5
) -> Measurement:
    """Return `loop_overhead` of a task's prompts, with what was sampled and on what machine.

    Args:
        sampler, params, repeats: See `loop_overhead`.
        requests: One for each problem, all for the same number of candidates.
        task: Name of the task.

    Raises:
        ModelError, ParameterError: see `loop_overhead`.
    """
    asked = {
        "kind": "loop",
        "model": sampler.name,
        "task": task,
        "problems": len(requests),
        "n": max((len(request.indices) for request in requests), default=0),
    }
    found = loop_overhead(sampler, requests, params, repeats=repeats)
    return asked | found | machine(MODELS, sampler.checkpoint.model.device)


def loop_overhead(
    sampler: Sampler, requests: Sequence[Request], params: SamplingParams, *, repeats: int = 5
) -> Measurement:
    """Time a sampling run and, inside it, the model's forward passes.

    Args:
        sampler: On the shared path, without a prefix cache, so that every run does the same.
        requests, params: What is sampled.
        repeats: Timed runs after one that is not; the one with the median share is returned.

    Returns: tokens, steps, seconds, seconds of decode steps' forward passes, and the share of the rest of a
        step, prefill left out on both sides.

    Raises:
        ModelError: the sampler is on the ordinary path.
        ParameterError: no candidate takes a second token, so that there is no step to time.
    """
    if not sampler.checkpoint.shared:
        raise ModelError(f"{sampler.name} is sampled on the ordinary path; this measures the shared one")
    _timed(sampler, requests, params)
    runs = [_timed(sampler, requests, params) for _ in range(repeats)]
    return sorted(runs, key=itemgetter("overhead"))[len(runs) // 2]


def loop_profile(sampler: Sampler, requests: Sequence[Request], params: SamplingParams) -> str:
    """Return where a run spends its time, by function, as `pstats` prints it; profiling slows Python code."""
    profile = cProfile.Profile()
    profile.runcall(lambda: list(sampler.stream(requests, params)))
    lines: list[str] = []

    class Lines:
        write = staticmethod(lines.append)

    stats = pstats.Stats(profile, stream=Lines())  # type: ignore[arg-type]
    stats.strip_dirs().sort_stats("tottime").print_stats(_PROFILED)
    return "".join(lines)


def _timed(sampler: Sampler, requests: Sequence[Request], params: SamplingParams) -> Measurement:
    model: Callable[..., Any] = sampler.checkpoint.model
    spent = {"decode": 0.0, "prefill": 0.0}
    calls = dict.fromkeys(spent, 0)

    def measured(name: str) -> Callable[..., Any]:
        @wraps(plain)
        def forward(*args: Any, **inputs: Any) -> Any:
            begun = time.perf_counter()
            try:
                return plain(*args, **inputs)
            finally:
                spent[name] += time.perf_counter() - begun
                calls[name] += 1

        return forward

    plain = model.forward  # type: ignore[attr-defined]
    before, sampler._forward = sampler._forward, None
    model.forward = measured("prefill")  # type: ignore[attr-defined]
    try:
        # with another forward pass it is another model, which is looked at before it is sampled
        sampler._renew()
        spent["prefill"], calls["prefill"] = 0.0, 0
        sampler._forward = measured("decode")
        begun = time.perf_counter()
        tokens = sum(len(candidate.token_ids or ()) for candidate in sampler.stream(requests, params))
        seconds = time.perf_counter() - begun
    finally:
        sampler._forward = before
        del model.forward  # type: ignore[attr-defined]
    if not calls["decode"]:
        raise ParameterError("no candidate took a second token; name more problems or more tokens")
    loop = seconds - spent["prefill"]
    return {
        "tokens": tokens,
        "steps": calls["decode"],
        "seconds": round(seconds, 4),
        "forward_seconds": round(spent["decode"], 4),
        "step_ms": round(1000 * loop / calls["decode"], 3),
        "overhead": round(1 - spent["decode"] / loop, 4),
    }
