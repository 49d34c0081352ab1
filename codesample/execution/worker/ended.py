"""Why work on a program ends: what stops it, and what its process says by the way it ended."""

from __future__ import annotations

import os
import signal

from codesample.execution.child import exit_status
from codesample.execution.limits import Limits
from codesample.execution.wire.launch import signal_name
from codesample.execution.worker.spawner import Interruption, Usage
from codesample.records import Status

__all__ = ["CallerGone", "ProgramStopped", "explained"]

_CPU_SLACK = 0.05


class ProgramStopped(Interruption):
    """The program hit a limit, ended, or said what it may not."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class CallerGone(Interruption):
    """Whoever asked for verdicts closed the connection."""


def explained(usage: Usage, limits: Limits) -> tuple[Status, str]:
    """Return the status and the words for a process that ended before its tests did."""
    code = os.waitstatus_to_exitcode(usage.status)
    if code == exit_status.MEMORY:
        return Status.MEMORY, f"out of memory ({limits.memory} bytes)"
    if code >= 0:
        return Status.CRASHED, f"the process ended with status {code} before its tests did"
    if usage.cpu_seconds >= limits.cpu_seconds - _CPU_SLACK or -code == signal.SIGXCPU:
        return Status.CPU_TIMEOUT, f"stopped at the limit of {limits.cpu_seconds:g} CPU seconds"
    return Status.CRASHED, f"killed by {signal_name(-code)}"
