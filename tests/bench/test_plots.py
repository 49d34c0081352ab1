"""Plots are drawn, or the missing library is named."""

import sys
from functools import partial

import pytest

from codesample.bench.plots import Plot, draw, expect_drawable
from codesample.errors import ParameterError

PLOT = Plot("a processor", "n", "ms", {"one": [(8, 2.0), (2, 1.0)], "two": [(1, 3.0)]})


def test_a_plot_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    draw(PLOT, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_without_matplotlib_the_package_to_install_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for call in (partial(draw, PLOT), expect_drawable):
        with pytest.raises(ParameterError, match=r"pip install 'codesample\[plots\]'"):
            call(tmp_path / "plot.png")


def test_a_name_that_no_plot_can_have_is_refused(tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    expect_drawable(tmp_path / "plot.svg")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ParameterError, match=r"ends in one of .*png"):
        expect_drawable(tmp_path / "plot.jsonl")
    for path in (tmp_path / "missing" / "plot.png", tmp_path):
        with pytest.raises(ParameterError, match="a file in a folder that is there"):
            expect_drawable(path)
