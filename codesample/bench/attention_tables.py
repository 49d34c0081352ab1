"""Rows of the attention benchmark as a table and a plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError

__all__ = ["markdown", "plot"]

Row = dict[str, Any]


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table; a cell slower than the best rival by more than 3 % is marked."""
    lines = [
        "| model | prompts | n | context | own | µs | GB/s | of copy | over expanded SDPA "
        "| over best single sequence | over FlashInfer cascade |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        head = f"| {r['model']} | {r['prompts']} | {r['rows']} | {r['context']} | {r['own']} | "
        if "refused" in r:
            lines.append(head + f"not shown: {r['refused']} | | | | | |")
            continue
        rate, faster = r["bytes_per_second"], r["faster_than"]
        figures = [
            f"{r['seconds'] * 1e6:.1f}",
            f"{rate / 1e9:.1f}",
            f"{rate / r['copy_bytes_per_second']:.0%}",
        ]
        for name in ("expanded SDPA", r["best_single"], "FlashInfer cascade"):
            ratio = faster.get(name)
            figures.append("-" if ratio is None else f"{ratio:.2f}x" + (" (slower)" if ratio < 0.97 else ""))
        lines.append(head + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def plot(rows: Iterable[Row], path: Path) -> None:
    """Draw microseconds over n, one line per model and context, for one prompt and the least own tokens.

    Raises:
        ParameterError: no measured row fits, or matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ParameterError("a plot needs matplotlib: pip install 'codesample[plots]'") from error
    measured = [r for r in rows if "seconds" in r and r["prompts"] == 1]
    if not measured:
        raise ParameterError("no measured cell with one prompt to plot")
    own = min(r["own"] for r in measured)
    lines: dict[str, list[tuple[int, float]]] = {}
    for r in measured:
        if r["own"] == own:
            lines.setdefault(f"{r['model']}, {r['context']}", []).append((r["rows"], r["seconds"] * 1e6))
    figure, axes = plt.subplots(figsize=(8, 5))
    for label, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=label)
    axes.set(xlabel="rows per prompt", ylabel="µs per layer", yscale="log", title=measured[0]["device"])
    axes.set_xscale("log", base=2)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=140)
    plt.close(figure)
