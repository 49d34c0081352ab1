"""Draws the charts of a page: Vega-Lite descriptions become SVG when the page is made.

By vl-convert, which needs neither a browser nor a network: the page carries finished SVG of some
kilobytes each and no plotting code, opens at once, prints, and is there without scripts. Vega gives every
mark and axis a label for screen readers, which the page also shows where one points. Colours are CSS
variables, so that light and dark need one drawing. plotly would put 4.5 MB of script into every page, bokeh
draws on a canvas that no screen reader sees, and matplotlib labels nothing.

A chart is 340 pixels wide, so that its text is readable on a phone; the page enlarges it where there is room.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from codesample.reports.html.palette import SERIES

__all__ = [
    "DOT",
    "ENDS_ONLY",
    "SIGNS",
    "VARIABLE",
    "Series",
    "Spec",
    "drawn",
    "series_of",
]

Spec = dict[str, Any]

DOT: Spec = {"type": "point", "filled": True, "opacity": 1, "color": "var(--series-1)"}
VARIABLE = {name: f"var(--{name})" for name in ("ink", "muted", "line", "edge", "good", "bad", "page")}
"""Colours as the page's style sheet names them."""

_WIDTH = 340
ENDS_ONLY = (1, 4)
"""Dots of a curve of which only the ends are known; no other curve is dotted."""

_DASHES: tuple[tuple[int, ...], ...] = ((), (7, 3), (12, 4), (10, 3, 4, 3))
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
SIGNS = dict(zip(_SHAPES, "●■▲◆✚▼", strict=True))
"""A letter for each shape of points."""

_COORDINATES = re.compile(r' (?:d|transform|x2|y2|width|height)="[^"]*"')
# what is clipped is numbered through the life of the process
_ID = re.compile(r"(?<=\bid=\")clip\d+(?=\")|(?<=url\(#)clip\d+(?=\))")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


class Series(NamedTuple):
    """How one curve looks: three ways to tell it from the others.

    Attributes:
        name: Of the reranker, or "random", "oracle", "pass@k".
        colour: A CSS variable.
        dash: Lengths of strokes and gaps in pixels; () for a whole line.
        shape: Of its points, as Vega names it; "" for none.
    """

    name: str
    colour: str
    dash: tuple[int, ...]
    shape: str


def series_of(names: Sequence[str]) -> list[Series]:
    """Return a look for each name; no two of the first 24 are alike."""
    return [
        Series(
            name,
            f"var(--{SERIES[at % len(SERIES)]})",
            _DASHES[at // len(SERIES) % len(_DASHES)],
            _SHAPES[at % len(_SHAPES)],
        )
        for at, name in enumerate(names)
    ]


def drawn(spec: Spec) -> str:
    """Return the SVG of a description; numbers of coordinates are cut to hundredths of a pixel."""
    import vl_convert

    axis = {
        "labelColor": VARIABLE["ink"],
        "titleColor": VARIABLE["ink"],
        "titleFontWeight": "normal",
        "gridColor": VARIABLE["line"],
        "domainColor": VARIABLE["edge"],
        "tickColor": VARIABLE["edge"],
        "labelFontSize": 11,
        "titleFontSize": 12,
    }
    config = {"background": None, "font": "sans-serif", "axis": axis, "view": {"stroke": None}}
    whole = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": _WIDTH,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 4,
        "config": config,
        **spec,
    }
    svg = str(vl_convert.vegalite_to_svg(whole))
    short = _COORDINATES.sub(lambda found: _LONG_NUMBER.sub(_hundredths, found[0]), svg)
    return _with_own_ids(short, whole)


def _with_own_ids(svg: str, spec: Spec) -> str:
    """Return an SVG whose ids no other chart of a page has, and that are the same every time."""
    own = f"{zlib.crc32(json.dumps(spec, sort_keys=True).encode('ascii')):08x}"
    numbers: dict[str, int] = {}
    return _ID.sub(lambda found: f"clip-{own}-{numbers.setdefault(found[0], len(numbers))}", svg)


def _hundredths(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
