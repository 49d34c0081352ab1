"""Results as a plot over the number of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from codesample.errors import ParameterError

__all__ = ["Plot", "draw"]


class Plot(NamedTuple):
    """Lines to be drawn over logarithmic axes.

    Attributes:
        title: Above the plot.
        x, y: What the axes count; the one of x doubles.
        lines: By label, points (x, y).
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]


def draw(plot: Plot, path: Path) -> None:
    """Write a plot to an image whose kind follows from the name.

    Raises:
        ParameterError: matplotlib is not installed.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ParameterError("a plot needs matplotlib: pip install 'codesample[plots]'") from error
    figure, axes = plt.subplots(figsize=(8, 5))
    for label, points in plot.lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=label)
    axes.set(xlabel=plot.x, ylabel=plot.y, yscale="log", title=plot.title)
    axes.set_xscale("log", base=2)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path, dpi=140)
    plt.close(figure)
