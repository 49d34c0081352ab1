"""Programs in, verdicts out: run untrusted Python in confined processes. Imports no torch.

The names below are imported when first used, so that whoever only names a `Judge` loads no executor.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesample.execution.caller.executor import Executor
    from codesample.execution.caller.isolation_probe import probe_isolation
    from codesample.execution.caller.run_all import run, run_async
    from codesample.execution.isolation.grants import Isolation, Mechanism
    from codesample.execution.isolation.level import Level
    from codesample.execution.judge import Judge, Outcome, Program
    from codesample.execution.limits import Limits

__all__ = [
    "Executor",
    "Isolation",
    "Judge",
    "Level",
    "Limits",
    "Mechanism",
    "Outcome",
    "Program",
    "probe_isolation",
    "run",
    "run_async",
]

_HOME = {
    "Executor": "codesample.execution.caller.executor",
    "Isolation": "codesample.execution.isolation.grants",
    "Judge": "codesample.execution.judge",
    "Level": "codesample.execution.isolation.level",
    "Limits": "codesample.execution.limits",
    "Mechanism": "codesample.execution.isolation.grants",
    "Outcome": "codesample.execution.judge",
    "Program": "codesample.execution.judge",
    "probe_isolation": "codesample.execution.caller.isolation_probe",
    "run": "codesample.execution.caller.run_all",
    "run_async": "codesample.execution.caller.run_all",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
