"""Measurements of attention as a table and a plot."""

from __future__ import annotations

from collections.abc import Iterable

from codesample.bench.attention_rivals import CASCADE, EXPANDED, TORCH_CASCADE
from codesample.bench.measurements import Measurement
from codesample.bench.plots import Plot
from codesample.bench.tables import not_shown, table
from codesample.errors import ParameterError

__all__ = ["attention_plot", "attention_table"]

_CELL = ("model", "prompts", "n", "context", "own")
_FIGURES = (
    "µs",
    "GB/s",
    "of copy",
    "over expanded SDPA",
    "over best single sequence",
    "over FlashInfer cascade",
    "over torch cascade",
)
_AS_FAST = 0.97


def attention_table(measurements: Iterable[Measurement]) -> str:
    """Return a Markdown table; a cell slower than the best rival by more than 3 % is marked."""
    return table((*_CELL, *_FIGURES), map(_row, measurements))


def _row(m: Measurement) -> list[object]:
    # of a cell that failed as a whole, its command knows no more than which one it was
    cell = [m["model"], m.get("prompts", ""), m["rows"], m["context"], m.get("own", "")]
    if "refused" in m:
        return cell + not_shown(m["refused"], len(_FIGURES))
    rate = m["bytes_per_second"]
    figures = [f"{m['seconds'] * 1e6:.1f}", f"{rate / 1e9:.1f}", f"{rate / m['copy_bytes_per_second']:.0%}"]
    return (
        cell
        + figures
        + [
            _ratio(m["faster_than"].get(name))
            for name in (EXPANDED, m["best_single"], CASCADE, TORCH_CASCADE)
        ]
    )


def _ratio(times_faster: float | None) -> str:
    if times_faster is None:
        return "-"
    return f"{times_faster:.2f}x" + (" (slower)" if times_faster < _AS_FAST else "")


def attention_plot(measurements: Iterable[Measurement]) -> Plot:
    """Return microseconds over n, a line for each model and context, for one prompt and the least own tokens.

    Raises:
        ParameterError: no measurement fits.
    """
    timed = [m for m in measurements if "seconds" in m and m["prompts"] == 1]
    if not timed:
        raise ParameterError("no measured cell with one prompt to plot")
    own = min(m["own"] for m in timed)
    lines: dict[str, list[tuple[float, float]]] = {}
    for m in timed:
        if m["own"] == own:
            lines.setdefault(f"{m['model']}, {m['context']}", []).append((m["rows"], m["seconds"] * 1e6))
    return Plot(timed[0]["device"], "rows per prompt", "µs per layer", lines)
