"""Verdicts of many programs by one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from codesample.execution.caller.executor import Executor
from codesample.execution.isolation.level import Level
from codesample.execution.judge import Program
from codesample.execution.limits import Limits
from codesample.records import Verdict
from codesample.records.validation import validated

__all__ = ["run", "run_async"]


@validated
def run(
    programs: Iterable[Program],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    minimum: Level = Level.CONFINED,
    level: Level | None = None,
    on_verdict: Callable[[Verdict], None] | None = None,
) -> list[Verdict]:
    """Judge programs and return their verdicts in the same order.

    Args:
        programs: What to run; read to its end without waiting for verdicts.
        workers, limits, minimum, level: See `Executor`.
        on_verdict: Called with each verdict as it comes, in the executor's thread, or in the caller's
            where the verdict is known already.

    Raises:
        IsolationError: this machine grants less than `minimum`.
        ExecutionError: the harness cannot work at all.
    """
    with Executor(workers=workers, limits=limits, minimum=minimum, level=level) as executor:
        futures = []
        for program in programs:
            future = executor.submit(program)
            if on_verdict is not None:
                future.add_done_callback(lambda done: done.exception() or on_verdict(done.result()))
            futures.append(future)
        return [future.result() for future in futures]


@validated
async def run_async(
    programs: Iterable[Program],
    *,
    workers: int | None = None,
    limits: Limits | None = None,
    minimum: Level = Level.CONFINED,
    level: Level | None = None,
) -> list[Verdict]:
    """Judge programs without blocking the event loop; as `run` otherwise."""
    executor = await asyncio.to_thread(Executor, workers=workers, limits=limits, minimum=minimum, level=level)
    try:
        futures = [asyncio.wrap_future(executor.submit(program)) for program in programs]
        return list(await asyncio.gather(*futures))
    finally:
        await asyncio.to_thread(executor.close)
