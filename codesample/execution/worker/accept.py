"""Trusted source that judges in place of a comparison: an oracle of values, a checker of output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codesample.execution.worker.faults import NO_PYTHON, TestsFault, compiled
from codesample.execution.worker.raised import said

__all__ = ["accepting", "demand_python"]


def demand_python(source: str, what: str) -> None:
    """Raise TestsFault for what is no Python, before anything of it runs."""
    try:
        compiled(source, what)
    except NO_PYTHON as error:
        raise TestsFault(f"the {what} is not valid Python: {said(error)}") from None


def accepting(source: str, what: str) -> Callable[[Any, Any, Any], Any]:
    """Run the source and return the `accept` that it defines.

    Args:
        source: Trusted; of "tests" by its `__name__`.
        what: What it is called in complaints.

    Raises:
        TestsFault: it fails, or defines no `accept`.
    """
    names: dict[str, Any] = {"__name__": "tests"}
    try:
        exec(compiled(source, what), names)
        accept: Callable[[Any, Any, Any], Any] = names["accept"]
    except Exception as error:
        raise TestsFault(f"the {what} does not define accept(): {said(error)}") from None
    return accept
