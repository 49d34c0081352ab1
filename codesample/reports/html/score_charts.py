"""Charts of one reranker's scores: how they part passing from failing candidates, and what they promise."""

from __future__ import annotations

from codesample.evaluation.score_quality import Calibration, ScoreDistribution
from codesample.reports.html.chart_texts import score_axis
from codesample.reports.html.drawing import DOT, VARIABLE, Spec, drawn

__all__ = ["calibration_chart", "distribution_chart"]

_HEIGHT = 200


def distribution_chart(name: str, scores: ScoreDistribution) -> str:
    """Return scores of passing candidates upwards, of failing ones downwards, as shares of their kind."""
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
        "axis": {"title": score_axis(name), "tickCount": 5},
    }
    encoding: Spec = {
        "x": x,
        "y": {
            "field": "share",
            "type": "quantitative",
            "axis": {
                "title": "failing  ·  passing",
                "format": ".0%",
                "labelExpr": "format(abs(datum.value), '.0%')",
            },
        },
        "color": {
            "field": "what",
            "type": "nominal",
            "scale": {"domain": ["passing", "failing"], "range": [VARIABLE["good"], VARIABLE["bad"]]},
            "legend": None,
        },
        "description": {"field": "text", "type": "nominal"},
    }
    if single:
        encoding["y2"] = {"datum": 0}
        mark: Spec = {"type": "rule", "strokeWidth": max(3, min(18, 200 // max(1, len(scores.bins))))}
    else:
        encoding |= {"x2": {"field": "high"}, "y2": {"datum": 0}}
        mark = {"type": "bar", "binSpacing": 0.5}
    zero = {
        "mark": {"type": "rule", "color": VARIABLE["ink"], "aria": False},
        "encoding": {"y": {"datum": 0}},
    }
    spec = {"data": {"values": rows}, "layer": [{"mark": mark, "encoding": encoding}, zero], "height": 200}
    return drawn({**spec, "description": f"scores of passing and failing candidates by {name}"})


def calibration_chart(name: str, found: Calibration) -> str:
    """Return the share of candidates that pass by score; where scores are chances, beside what they say."""
    rows = [
        {
            "score": each.mean,
            "passed": each.passed,
            "size": each.candidates,
            "text": f"{each.candidates:,} score {_range(each.low, each.high)}: {each.passed:.0%} pass",
        }
        for each in found.bins
    ]
    x: Spec = {
        "field": "score",
        "type": "quantitative",
        "scale": {"domain": [0, 1]} if found.error is not None else {"zero": False, "padding": 8},
        "axis": {"title": score_axis(name), "tickCount": 5},
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
            "mark": {**DOT, "size": 55},
            "encoding": {"x": x, "y": y, "description": {"field": "text", "type": "nominal"}},
        },
    ]
    if found.error is not None:
        ideal = {
            "data": {"values": [{"score": 0, "passed": 0}, {"score": 1, "passed": 1}]},
            "mark": {"type": "line", "color": VARIABLE["edge"], "strokeDash": [4, 3], "aria": False},
            "encoding": {"x": x, "y": y},
        }
        layers.insert(0, ideal)
    spec = {"data": {"values": rows}, "layer": layers, "height": 200}
    return drawn({**spec, "description": f"share of candidates that pass by score of {name}"})


def _range(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
