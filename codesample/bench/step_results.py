"""Measurements of whole steps as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codesample.bench.measurements import Measurement
from codesample.bench.step_rivals import STEP_RIVALS
from codesample.bench.tables import not_shown, table

__all__ = ["rivals_left_out", "step_table"]

_CELL = ("model", "n", "context")


def step_table(measurements: Iterable[Measurement]) -> str:
    """Return a Markdown table; a rival without a time has a dash."""
    figures = ("ms", "GB/s", "of copy", *(f"over {name}" for name in STEP_RIVALS))
    lines = ([m["model"], m["rows"], m["context"], *_figures(m, len(figures))] for m in measurements)
    return table((*_CELL, *figures), lines)


def rivals_left_out(measurements: Iterable[Measurement]) -> Sequence[str]:
    """Return why rivals have no time, each reason once."""
    found = (m.get("left_out", {}).items() for m in measurements)
    return sorted({f"{name}: {reason}" for each in found for name, reason in each})


def _figures(m: Measurement, count: int) -> list[object]:
    if "refused" in m:
        return [*not_shown(m["refused"], count)]
    rate = m["bytes_per_second"]
    ratios = (m.get("faster_than", {}).get(name) for name in STEP_RIVALS)
    return [
        f"{m['seconds'] * 1e3:.2f}",
        f"{rate / 1e9:.1f}",
        f"{rate / m['copy_bytes_per_second']:.0%}",
        *("-" if ratio is None else f"{ratio:.2f}x" for ratio in ratios),
    ]
