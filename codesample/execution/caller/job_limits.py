"""What one job may use: its limits, and how many processes before its worker must be stuck."""

from __future__ import annotations

from dataclasses import replace

from codesample.execution.limits import Limits
from codesample.execution.wire.messages import MAX_PROCESSES, REFERENCE_PATIENCE
from codesample.records import CodeTests, InputTests, ScriptTests, Tests

__all__ = ["limits_for", "most_processes"]

_PROCESSES_PER_BATCH = MAX_PROCESSES * int(REFERENCE_PATIENCE) + 4 * int(REFERENCE_PATIENCE)


def limits_for(tests: Tests, limits: Limits) -> Limits:
    """Return an executor's limits as far as the tests do not say otherwise."""
    if tests.time_limit is not None:
        limits = replace(limits, cpu_seconds=tests.time_limit)
    if tests.memory is not None:
        limits = replace(limits, memory=tests.memory)
    if tests.scratch is not None:
        limits = replace(limits, scratch=tests.scratch)
    more = tuple(name for name in tests.imports if name not in limits.imports)
    return replace(limits, imports=limits.imports + more) if more else limits


def most_processes(tests: Tests) -> int:
    """How many processes one program may use up before its worker must be stuck."""
    match tests:
        case ScriptTests():
            return len(tests.cases)
        case InputTests():
            return _PROCESSES_PER_BATCH
        case CodeTests(reference=str(), time_limit=None):
            # the program, its reference, and the program in the time that it has by that
            return 3
        case _:
            return 1
