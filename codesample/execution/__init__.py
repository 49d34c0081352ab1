"""Programs in, verdicts out: run untrusted Python in confined processes. Imports no torch."""

from codesample.execution.caller.executor import Executor, Program, run, run_async
from codesample.execution.caller.isolation_probe import probe_isolation
from codesample.execution.isolation.grants import Isolation, Mechanism
from codesample.execution.isolation.level import Level
from codesample.execution.limits import Limits
from codesample.execution.wire.messages import Outcome

__all__ = [
    "Executor",
    "Isolation",
    "Level",
    "Limits",
    "Mechanism",
    "Outcome",
    "Program",
    "probe_isolation",
    "run",
    "run_async",
]
