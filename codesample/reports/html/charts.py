"""The charts of a page: Vega-Lite descriptions, drawn as SVG when the page is made.

Drawn by vl-convert, which needs neither a browser nor a network: the page carries finished SVG of some
kilobytes each and no plotting code, opens at once, prints, and is there without scripts. Vega gives every
mark and axis a label for screen readers, which the page also shows where one points. Colours are CSS variables,
so that light and dark need one drawing. plotly would put 4.5 MB of script into every page, bokeh draws on a
canvas that no screen reader sees, and matplotlib labels nothing.

A chart is 340 pixels wide, so that its text is readable on a phone; the page enlarges it where there is room.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codesample.evaluation.curves import Curve
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.score_quality import Calibration, ScoreDistribution
from codesample.reports.html.palette import SERIES

__all__ = ["Series", "calibration_chart", "curves_chart", "distribution_chart", "gaps_chart", "series_of"]

Spec = dict[str, Any]

_WIDTH, _HEIGHT = 340, 240
_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 2), (8, 3, 2, 3))
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
_VARIABLE = {name: f"var(--{name})" for name in ("ink", "muted", "line", "edge", "good", "bad", "page")}


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


def curves_chart(curves: Mapping[Series, Curve], *, of: str, x: str) -> str:
    """Return curves with bands, over numbers of candidates on a scale of doublings.

    Args:
        of: What the vertical axis shows.
        x: What the horizontal one does, such as "n".
    """
    layers: list[Spec] = []
    ticks = sorted({point.k for curve in curves.values() for point in curve.points})
    for series, curve in curves.items():
        rows = [
            {
                "n": point.k,
                "value": point.estimate.value,
                "low": point.estimate.low,
                "high": point.estimate.high,
                "text": f"{series.name}: {x} = {point.k}: {_interval(point.estimate)}",
            }
            for point in curve.points
        ]
        layers += _curve_layers(series, rows, whole=not curve.note)
    across = {
        "field": "n",
        "type": "quantitative",
        "scale": {"type": "log", "base": 2, "nice": False},
        "axis": {"title": f"{x} (candidates)", "values": _doublings(ticks), "format": "d"},
    }
    up = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": of, "format": ".1f", "tickCount": 6},
    }
    for layer in layers:
        layer["encoding"] = {"x": across, **layer["encoding"]}
        layer["encoding"]["y"] = {**up, **layer["encoding"]["y"]}
    return _drawn({"layer": layers, "height": _HEIGHT, "description": f"{of} by {x}"})


def gaps_chart(gaps: Mapping[str, Estimate | None]) -> str:
    """Return the share of the gap that each reranker closes, with its interval; best first."""
    known = sorted(
        ((name, gap) for name, gap in gaps.items() if gap is not None), key=lambda item: -item[1].value
    )
    rows = [
        {
            "name": name,
            "value": gap.value,
            "low": gap.low,
            "high": gap.high,
            "text": f"{name}: {gap.value:.0%} of the gap closed ({gap.low:.0%} to {gap.high:.0%})",
        }
        for name, gap in known
    ]
    y: Spec = {"field": "name", "type": "nominal", "sort": None, "axis": {"title": None, "labelLimit": 130}}
    # one that chooses far worse than at random would push all others to the edge
    low = max(-1.0, min((gap.low for _, gap in known), default=0.0))
    high = min(1.5, max((gap.high for _, gap in known), default=1.0))
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [min(0.0, low), max(1.0, high)]},
        "axis": {"title": "share of the gap closed", "format": ".0%", "tickCount": 5},
    }
    bounds = {
        "data": {"values": [{"at": 0, "what": "random"}, {"at": 1, "what": "oracle"}]},
        "mark": {"type": "rule", "color": _VARIABLE["edge"], "strokeDash": [4, 3], "aria": False},
        "encoding": {"x": {"field": "at", **x}},
    }
    interval = {
        "mark": {"type": "rule", "color": _VARIABLE["ink"], "strokeWidth": 1.5, "aria": False, "clip": True},
        "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}},
    }
    points = {
        "mark": {"type": "point", "filled": True, "size": 60, "color": "var(--series-1)", "opacity": 1, "clip": True},
        "encoding": {
            "y": y,
            "x": {"field": "value", **x},
            "description": {"field": "text", "type": "nominal"},
        },
    }
    spec = {"data": {"values": rows}, "layer": [bounds, interval, points], "height": 40 + 22 * max(1, len(rows))}
    return _drawn({**spec, "description": "share of the gap between random and oracle that is closed"})


def distribution_chart(name: str, scores: ScoreDistribution) -> str:
    """Return scores of passing candidates upwards and of failing ones downwards, each as a share of its own."""
    passing = sum(each.passing for each in scores.bins) or 1
    failing = sum(each.failing for each in scores.bins) or 1
    single = all(each.low == each.high for each in scores.bins)
    rows = [
        {
            "low": each.low,
            "high": each.high,
            "share": sign * share,
            "text": f"{count:,} {what} candidates score {_range(each.low, each.high)}: {share:.1%} of these",
            "what": what,
        }
        for each in scores.bins
        for what, sign, count, share in (
            ("passing", 1, each.passing, each.passing / passing),
            ("failing", -1, each.failing, each.failing / failing),
        )
    ]
    x: Spec = {
        "field": "low",
        "type": "quantitative",
        "scale": {"zero": False, "nice": True, "padding": 8 if single else 2},
        "axis": {"title": f"score by {_cut(name)}", "tickCount": 5},
    }
    encoding: Spec = {
        "x": x,
        "y": {
            "field": "share",
            "type": "quantitative",
            "axis": {"title": "failing  ·  passing", "format": ".0%", "labelExpr": "format(abs(datum.value), '.0%')"},
        },
        "color": {
            "field": "what",
            "type": "nominal",
            "scale": {"domain": ["passing", "failing"], "range": [_VARIABLE["good"], _VARIABLE["bad"]]},
            "legend": None,
        },
        "description": {"field": "text", "type": "nominal"},
    }
    if single:
        encoding["y2"] = {"datum": 0}
        mark: Spec = {"type": "rule", "strokeWidth": max(3, min(18, 200 // max(1, len(scores.bins))))}
    else:
        encoding["x2"] = {"field": "high"}
        mark = {"type": "bar", "binSpacing": 0.5}
    zero = {"mark": {"type": "rule", "color": _VARIABLE["ink"], "aria": False}, "encoding": {"y": {"datum": 0}}}
    spec = {"data": {"values": rows}, "layer": [{"mark": mark, "encoding": encoding}, zero], "height": 200}
    return _drawn({**spec, "description": f"scores of passing and failing candidates by {name}"})


def calibration_chart(name: str, found: Calibration) -> str:
    """Return the share of candidates that pass by their score; where scores are chances, beside what they say."""
    rows = [
        {
            "score": each.mean,
            "passed": each.passed,
            "size": each.candidates,
            "text": f"{each.candidates:,} candidates that score {_range(each.low, each.high)}: {each.passed:.0%} pass",
        }
        for each in found.bins
    ]
    x: Spec = {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [0, 1]} if found.error is not None else {"zero": False, "padding": 8},
        "axis": {"title": f"score by {_cut(name)}", "tickCount": 5},
    }
    y: Spec = {
        "field": "passed",
        "type": "quantitative",
        "scale": {"domain": [0, 1]},
        "axis": {"title": "share that passes", "format": ".0%", "tickCount": 5},
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "line", "color": "var(--series-1)", "aria": False},
            "encoding": {"x": x, "y": y},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55, "color": "var(--series-1)", "opacity": 1},
            "encoding": {"x": x, "y": y, "description": {"field": "text", "type": "nominal"}},
        },
    ]
    if found.error is not None:
        ideal = {
            "data": {"values": [{"score": 0, "passed": 0}, {"score": 1, "passed": 1}]},
            "mark": {"type": "line", "color": _VARIABLE["edge"], "strokeDash": [4, 3], "aria": False},
            "encoding": {"x": x, "y": y},
        }
        layers.insert(0, ideal)
    spec = {"data": {"values": rows}, "layer": layers, "height": 200}
    return _drawn({**spec, "description": f"share of candidates that pass by score of {name}"})


def _curve_layers(series: Series, rows: list[dict[str, Any]], *, whole: bool) -> list[Spec]:
    """Return band, line and points of one curve; one that lacks points between its ends is dotted."""
    data = {"values": rows}
    description = f"{series.name}: curve"
    dash = list(series.dash) if whole else [1, 4]
    band: Spec = {
        "data": data,
        "mark": {"type": "area", "color": series.colour, "opacity": 0.14, "description": f"{description}, 95 % interval"},
        "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
    }
    line: Spec = {
        "data": data,
        "mark": {
            "type": "line",
            "color": series.colour,
            "strokeWidth": 2,
            "description": description,
            **({"strokeDash": dash} if dash else {}),
        },
        "encoding": {"y": {"field": "value"}},
    }
    points: Spec = {
        "data": data,
        "mark": {
            "type": "point",
            "filled": True,
            "opacity": 1,
            "size": 36,
            "color": series.colour,
            "shape": series.shape or "circle",
        },
        "encoding": {"y": {"field": "value"}, "description": {"field": "text", "type": "nominal"}},
    }
    parts = [band, line] if whole else [line]
    return [*parts, points] if series.shape else parts


def _doublings(sizes: Sequence[int]) -> list[int]:
    most = max(sizes, default=1)
    found = [1]
    while found[-1] * 2 <= most:
        found.append(found[-1] * 2)
    return found if found[-1] == most or most / found[-1] < 1.3 else [*found, most]


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _cut(name: str) -> str:
    return name if len(name) <= 36 else f"{name[:35]}…"


def _drawn(spec: Spec) -> str:
    """Return the SVG of a description; numbers of coordinates are cut to hundredths of a pixel."""
    import vl_convert

    axis = {
        "labelColor": _VARIABLE["ink"],
        "titleColor": _VARIABLE["ink"],
        "titleFontWeight": "normal",
        "gridColor": _VARIABLE["line"],
        "domainColor": _VARIABLE["edge"],
        "tickColor": _VARIABLE["edge"],
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
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), svg)
