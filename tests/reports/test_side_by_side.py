"""A table of runs as people see it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from codesample.evaluation.intervals import Estimate
from codesample.evaluation.report import Report, Seconds, Selection
from codesample.evaluation.run_table import RunTable, TableRow
from codesample.reports.side_by_side import render_table


def report(value: float, **changes: object) -> Report:
    figure = Estimate(value, value - 0.1, value + 0.1)
    fields = {
        "pass_at_k": {1: figure, 10: Estimate(0.75, 0.7, 0.8)},
        "rerankers": {"mean_logprob": Selection(Estimate(0.625, 0.5, 0.7), Estimate(0.25, 0.0, 0.5))},
    }
    return Report(
        task="mini",
        model="tiny",
        problems=86,
        n=32,
        n_max=32,
        samples=2752,
        random=figure,
        oracle=Estimate(0.875, 0.8, 0.9),
        seconds=Seconds(10.0, 9.0, 12.0),
        tokens=123456,
        tokens_per_second=12345.6,
        statuses={"passed": 2752},
        isolation="confined",
        notices=(),
        run=Path("runs/x"),
        **{**fields, **changes},  # type: ignore[arg-type]
    )


def row(task: str, temperature: float, found: Report | None) -> TableRow:
    return TableRow(
        task, "org/[model]", temperature, Path("runs/t") / task, found, "" if found else "no memory"
    )


def shown(*rows: TableRow, width: int = 100) -> str:
    stream = StringIO()
    Console(file=stream, width=width).print(render_table(RunTable(Path("runs/[t]"), rows)))
    return stream.getvalue()


def test_every_run_is_a_line_and_what_all_share_stands_in_the_title() -> None:
    text = shown(row("mini", 0.2, report(0.25)), row("mini", 0.8, report(0.5)))
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0] == ["mini,", "org/[model],", "2", "runs"]
    assert lines[1] == ["T", "n", "pass@1", "95", "%", "pass@10", "by", "1", "oracle"]
    assert lines[3:5] == [
        ["0.2", "32", "0.250", "0.150-0.350", "0.750", "0.625", "0.875"],
        ["0.8", "32", "0.500", "0.400-0.600", "0.750", "0.625", "0.875"],
    ]
    assert "best of n by mean_logprob" in text
    assert "runs/[t]/" in text


def test_how_problems_were_put_is_said() -> None:
    base, chat = (report(0.5, prompt={"style": style}) for style in ("base", "chat"))
    mixed = shown(row("mini", 0.2, base), row("mini", 0.2, chat), row("mini", 0.2, None))
    lines = [line.split() for line in mixed.splitlines() if line.strip()]
    assert lines[1][:2] == ["prompt", "n"]
    assert [line[0] for line in lines[3:6]] == ["base", "chat", "failed"]
    alike = shown(row("mini", 0.2, chat), row("mini", 0.8, chat), row("mini", 1, None))
    assert "mini, org/[model], prompt chat, 3 runs" in alike


def test_what_failed_is_a_line_too_and_what_one_run_lacks_a_dash() -> None:
    greedy = report(0.5, pass_at_k={1: Estimate(0.5, 0.4, 0.6)}, rerankers={})
    lines = [
        line.split()
        for line in shown(row("a", 0, greedy), row("b", 0.2, None), row("c", 0.2, report(0.5))).splitlines()
    ]
    assert ["a", "0", "32", "0.500", "0.400-0.600", "-", "-", "0.875"] in lines
    assert ["b", "0.2", "failed"] in lines


def test_runs_that_all_failed_are_shown() -> None:
    assert shown(row("a", 0.2, None), row("b", 0.2, None)).count("failed") == 2


@pytest.mark.parametrize("width", [48, 50, 60, 80, 200])
def test_figures_are_whole_at_any_usual_width(width: int) -> None:
    text = shown(row("mini", 0.2, report(0.25)), row("humaneval_plus", 0.8, report(0.5)), width=width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert ("0.150-0.350" in text) == (width >= 80)
