"""Charts whose texts are long: titles and labels in lines, points within the frame."""

from __future__ import annotations

import re

import pytest

from codesample.evaluation.intervals import Estimate
from codesample.reports.html.chart_texts import in_lines, score_axis
from codesample.reports.html.drawing import series_of
from codesample.reports.html.figure_charts import cost_chart, gaps_chart

pytest.importorskip("vl_convert", reason="needs vl-convert: pip install 'codesample[dev]'")

NAME = "public_examples | mbr_exec,mean_logprob"


@pytest.mark.parametrize(
    ("text", "most", "lines"),
    [
        ("short", 10, ["short"]),
        (NAME, 23, ["public_examples |", "mbr_exec,mean_logprob"]),
        ("weighted_unigram_consistency,b", 20, ["weighted_unigram_", "consistency,b"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
        ("one two three four five six", 5, ["one", "two", "three", "four…"]),
        ("", 10, [""]),
    ],
)
def test_a_text_is_broken_where_names_end(text: str, most: int, lines: list[str]) -> None:
    assert in_lines(text, most) == lines
    assert all(len(line) <= most for line in lines)


def test_an_axis_names_a_long_reranker_on_a_line_of_its_own() -> None:
    assert score_axis("mbr_exec") == ["score by mbr_exec"]
    assert score_axis(NAME) == ["place from the last, 0, up", f"by {NAME}"]


def test_labels_of_gaps_are_whole_and_no_two_names_share_a_row() -> None:
    hostile = "a\"b\\c'</script>{}"
    # alike as far as lines go
    long = [f"{'n' * 120}{end}" for end in "ab"]
    svg = gaps_chart({name: Estimate(0.5, 0.25, 0.75) for name in (NAME, hostile, *long)})
    shown = re.findall(r"<(?:text|tspan)[^>]*>([^<]+)<", svg)
    assert {"public_examples |", "mbr_exec,mean_logprob"} <= set(shown)
    assert "script>" not in svg
    assert shown.count("n" * 23) == 6
    heights = set(
        re.findall(r'aria-label="[^"]*: 50% of the gap[^"]*"[^>]*transform="translate\([^,]*,([^)]*)\)"', svg)
    )
    assert len(heights) == 4


def test_points_of_gain_and_cost_lie_within_the_frame() -> None:
    costs = {"best": (500.0, 0.7), "worst": (0.1, -0.02), "mid": (2000.0, 0.3), "free": (0.0, 0.1)}
    svg = cost_chart(costs, series_of(list(costs)))
    found = re.findall(r'of the gap closed"[^>]*transform="translate\(([^,]*),([^)]*)\)"', svg)
    assert len(found) == 4
    frame = re.search(r'class="background"[^>]*d="M0,0h([\d.]+)v([\d.]+)h', svg)
    assert frame is not None
    width, height = map(float, frame.groups())
    # a point reaches five pixels around its place
    assert all(0 <= float(x) <= width - 5 and 5 <= float(y) <= height - 5 for x, y in found)
    assert "2,000</text>" in svg
