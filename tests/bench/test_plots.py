"""Plots are drawn, or the missing library is named."""

import sys

import pytest

from codesample.bench.plots import Plot, draw
from codesample.errors import ParameterError

PLOT = Plot("a processor", "n", "ms", {"one": [(8, 2.0), (2, 1.0)], "two": [(1, 3.0)]})


def test_a_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    draw(PLOT, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_without_matplotlib_the_package_to_install_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ParameterError, match=r"pip install 'codesample\[plots\]'"):
        draw(PLOT, tmp_path / "plot.png")
