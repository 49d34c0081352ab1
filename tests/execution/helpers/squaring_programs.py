"""Programs that square a number, every other one wrongly, and tests that tell."""

from __future__ import annotations

from codesample.execution import Program
from codesample.records import CodeTests

SQUARE = CodeTests(source="assert f(2) == 4\nassert f(3) == 9", entry_point="f")


def programs(count: int) -> list[Program]:
    """Return as many different programs; those of an odd number are wrong."""
    return [Program("t", n, f"def f(x):\n    return x * x + {n % 2}\nn = {n}", SQUARE) for n in range(count)]
