"""Charts of figures: curves over numbers of candidates, shares of the gap, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from codesample.evaluation.curves import Curve
from codesample.evaluation.intervals import Estimate
from codesample.reports.html.chart_texts import in_lines
from codesample.reports.html.drawing import ENDS_ONLY, VARIABLE, Series, Spec, drawn

__all__ = ["cost_chart", "curves_chart", "gaps_chart"]

_HEIGHT = 240
# characters of a label beside a row, the height of a line of it, and that of a row at least
_LABEL, _LINE, _ROW = 23, 12, 22
# what is left free beside the outermost points: a share of a scale, a factor on one of logarithms
_ROOM, _BEYOND = 0.08, 1.25
# points of a curve beyond which they are drawn small
_FEW = 12


def curves_chart(curves: Mapping[Series, Curve], *, of: str, x: str, whole: bool = True) -> str:
    """Return curves with bands, over numbers of candidates on a scale of doublings.

    Args:
        of: What the vertical axis shows.
        x: What the horizontal one does, such as "n".
        whole: Whether the vertical axis runs from 0 to 1, else only as far as the curves.
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
        "scale": {"domain": [0, 1]} if whole else {"zero": False, "nice": True},
        "axis": {"title": of, "format": ".1f" if whole else ".2f", "tickCount": 6},
    }
    for layer in layers:
        layer["encoding"] = {"x": across, **layer["encoding"]}
        layer["encoding"]["y"] = {**up, **layer["encoding"]["y"]}
    return drawn({"layer": layers, "height": _HEIGHT, "description": f"{of} by {x}"})


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
    labels = {name: in_lines(name, _LABEL) for name, _ in known}
    y: Spec = {"field": "name", "type": "nominal", "sort": None, "axis": _label_axis(labels)}
    # one that chooses far worse than at random would push all others to the edge
    low = max(-1.0, min((gap.low for _, gap in known), default=0.0))
    high = min(1.5, max((gap.high for _, gap in known), default=1.0))
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [min(0.0, low), max(1.0, high)]},
        "axis": {"title": "share of the gap closed", "format": ".0%", "tickCount": 3},
    }
    bounds = {
        "data": {"values": [{"at": 0, "what": "random"}, {"at": 1, "what": "oracle"}]},
        "mark": {"type": "rule", "color": VARIABLE["edge"], "strokeDash": [4, 3], "aria": False},
        "encoding": {"x": {"field": "at", **x}},
    }
    interval = {
        "mark": {"type": "rule", "color": VARIABLE["ink"], "strokeWidth": 1.5, "aria": False, "clip": True},
        "encoding": {"y": y, "x": {"field": "low", **x}, "x2": {"field": "high"}},
    }
    points = {
        "mark": {
            "type": "point",
            "filled": True,
            "size": 60,
            "color": "var(--series-1)",
            "opacity": 1,
            "clip": True,
        },
        "encoding": {
            "y": y,
            "x": {"field": "value", **x},
            "description": {"field": "text", "type": "nominal"},
        },
    }
    row = max(_ROW, _LINE * max(map(len, labels.values()), default=1) + 2)
    spec = {
        "data": {"values": rows},
        "layer": [bounds, interval, points],
        "height": 40 + row * max(1, len(rows)),
    }
    return drawn({**spec, "description": "share of the gap between random and oracle that is closed"})


def _label_axis(labels: Mapping[str, Sequence[str]]) -> Spec:
    """Return an axis with a label of some lines for each name, their middle where its row is."""
    # names are text in an expression of Vega's, which JSON quotes as well
    lines = f"({json.dumps(labels)})[datum.value]"
    offsets = [
        {"test": f"length({lines}) == {number}", "value": -_LINE / 2 * (number - 1)}
        for number in sorted({len(each) for each in labels.values()} - {1})
    ]
    return {
        "title": None,
        "labelLimit": 170,
        "labelExpr": lines,
        "labelLineHeight": _LINE,
        "labelOffset": {"condition": offsets, "value": 0} if offsets else 0,
    }


def cost_chart(costs: Mapping[str, tuple[float, float]], series: Sequence[Series]) -> str:
    """Return the share of the gap that each reranker closes by the seconds that its scores take.

    Args:
        costs: By reranker, seconds and share of the gap.
        series: How each of them looks in other charts.
    """
    looks = {each.name: each for each in series}
    low, high = min(0.0, *(gap for _, gap in costs.values())), max(gap for _, gap in costs.values())
    # points are drawn around their places, and those of the best would reach beyond the edge
    room = _ROOM * ((high - low) or 1.0)
    most = max(seconds for seconds, _ in costs.values()) or 1.0
    rows = [
        {
            "name": name,
            "seconds": seconds,
            "gap": gap,
            "text": f"{name}: {seconds:,.1f} s, {gap:.0%} of the gap closed",
        }
        for name, (seconds, gap) in costs.items()
    ]
    spec: Spec = {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
        "encoding": {
            "x": {
                "field": "seconds",
                "type": "quantitative",
                "scale": {"type": "symlog", "domain": [0, most * _BEYOND], "nice": False},
                "axis": {"title": "seconds for all scores", "tickCount": 5, "format": ",.3~f"},
            },
            "y": {
                "field": "gap",
                "type": "quantitative",
                "scale": {"domain": [low - room, high + room], "nice": False, "zero": False},
                "axis": {"title": "share of the gap closed", "format": ".0%", "tickCount": 5},
            },
            "color": {
                "field": "name",
                "type": "nominal",
                "scale": {"domain": list(looks), "range": [each.colour for each in looks.values()]},
                "legend": None,
            },
            "shape": {
                "field": "name",
                "type": "nominal",
                "scale": {"domain": list(looks), "range": [each.shape for each in looks.values()]},
                "legend": None,
            },
            "description": {"field": "text", "type": "nominal"},
        },
    }
    return drawn({**spec, "height": 200, "description": "share of the gap closed by seconds"})


def _curve_layers(series: Series, rows: list[dict[str, Any]], *, whole: bool) -> list[Spec]:
    """Return band, line and points of one curve; one that lacks points between its ends is dotted."""
    data = {"values": rows}
    description = f"{series.name}: curve"
    dash = list(series.dash if whole else ENDS_ONLY)
    band: Spec = {
        "data": data,
        "mark": {
            "type": "area",
            "color": series.colour,
            "opacity": 0.14,
            "description": f"{description}, 95 % interval",
        },
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
            "size": 36 if len(rows) <= _FEW else 14,
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
