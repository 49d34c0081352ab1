"""Verdicts and scores in, numbers out; and what takes a task through a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codesample.evaluation.pass_at_k_metric.pass_at_k_metric import PassAtK

__all__ = ["PASS_AT_K", "PassAtK"]

PASS_AT_K = str(Path(__file__).with_name("pass_at_k_metric"))
"""The folder by which the `evaluate` library loads `PassAtK`: `evaluate.load(PASS_AT_K)`."""


def __getattr__(name: str) -> Any:
    # `evaluate` takes seconds to load, and whoever wants this has it loaded
    if name == "PassAtK":
        from codesample.evaluation.pass_at_k_metric.pass_at_k_metric import PassAtK

        return PassAtK
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
