"""Results as a plot over the number of candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from codesample.errors import ParameterError

__all__ = ["Plot", "draw", "expect_drawable"]


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


def expect_drawable(path: Path) -> None:
    """Refuse a name that no plot can be written to; asked before hours of measuring, not behind them.

    Raises:
        ParameterError: matplotlib is not installed, or writes no such image there.
    """
    plt = _pyplot()
    known = plt.gcf().canvas.get_supported_filetypes()
    plt.close()
    kind = path.suffix.removeprefix(".").lower() or "png"
    if kind not in known:
        raise ParameterError(f"plot = {path}: expected a name that ends in one of {', '.join(sorted(known))}")
    if not path.parent.is_dir() or path.is_dir():
        raise ParameterError(f"plot = {path}: expected a file in a folder that is there")


def draw(plot: Plot, path: Path) -> None:
    """Write a plot to an image whose kind follows from the name.

    Raises:
        ParameterError: matplotlib is not installed.
    """
    plt = _pyplot()
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


def _pyplot() -> Any:
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ParameterError("a plot needs matplotlib: pip install 'codesample[plots]'") from error
    return plt
