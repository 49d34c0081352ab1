"""Several runs beside the first of them, as a page."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from codesample.evaluation.comparison import ComparedFigure, Comparison
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.lineup import Lineup, RunCost
from codesample.evaluation.paired import Paired
from codesample.reports.lineup_table import LineupPage, cost_table

AUDIT = {"missed": 0.0312, "worst": 0.41}
QUEST = {"share": 0.236, "prepare_seconds": 1.25, "refresh_seconds": 0.5, "audit": AUDIT}


def compared(second: str, *names: str, difference: float = -0.125, problems: int = 200) -> Comparison:
    pair = Paired(Estimate(difference, difference - 0.1, difference + 0.1), 0.0004, 3, 9, 188)
    half = Estimate(0.5, 0.4, 0.6)
    figures = tuple(ComparedFigure(name, half, Estimate(0.375, 0.3, 0.5), pair) for name in names)
    return Comparison("runs/exact", second, problems, figures, notices=("two [x]",))


@pytest.fixture
def lineup() -> Lineup:
    return Lineup(
        (
            RunCost("runs/exact", 1000, 12.5, {}),
            RunCost("runs/quest", 990, 10.0, QUEST),
            RunCost("runs/[other]", None, None, QUEST | {"audit": None}),
        ),
        (
            compared("runs/quest", "pass@1", "near", "oracle"),
            compared("runs/[other]", "pass@1", "oracle", problems=190),
        ),
    )


def shown(lineup: Lineup, width: int = 100) -> str:
    stream = StringIO()
    Console(file=stream, width=width, soft_wrap=True).print(LineupPage(lineup))
    return stream.getvalue()


def rows(text: str, name: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip().startswith(name)]


def test_every_run_has_its_figures_and_differences(lineup: Lineup) -> None:
    text = shown(lineup)
    assert "3 runs, each paired with the first by problem: 190 to 200 problems" in text
    assert rows(text, "quest")[0] == ["quest", "0.375", "-0.125", "-0.225..-0.025", "<.001", "3/9"]
    assert rows(text, "exact")[0] == ["exact", "0.500"]
    assert text.count("two [x]") == 1


def test_figures_that_some_pair_lacks_are_left_out(lineup: Lineup) -> None:
    text = shown(lineup)
    assert "by oracle" in text
    assert "by near" not in text


def test_what_runs_read_missed_and_took_is_told(lineup: Lineup) -> None:
    text = shown(lineup)
    assert rows(text, "exact")[-1] == ["exact", "1000", "12.5", "100", "%", "0", "%"]
    assert rows(text, "quest")[-1] == [
        "quest",
        "990",
        "10.0",
        "23.6",
        "%",
        "3.12",
        "%",
        "41",
        "%",
        "1.2",
        "0.5",
    ]
    assert rows(text, "[other]")[-1] == ["[other]", "-", "-", "23.6", "%", "not", "audited", "1.2", "0.5"]


def test_without_policies_there_is_no_word_of_them(lineup: Lineup) -> None:
    plain = Lineup(tuple(RunCost(each.run, 5, 1.0, {}) for each in lineup.costs), lineup.comparisons)
    assert "missed" not in shown(plain)


def test_of_what_was_not_counted_it_is_not_said_that_all_was_read() -> None:
    stream = StringIO()
    costs = [RunCost("runs/exact", 10, 1.0, {}), RunCost("runs/rings", 9, 1.0, {"policy": "exact, ..."})]
    Console(file=stream, width=100).print(cost_table(costs))
    assert rows(stream.getvalue(), "rings") == [["rings", "9", "1.0", "-", "not", "counted"]]
