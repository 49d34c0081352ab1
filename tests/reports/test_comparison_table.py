"""Two of a kind side by side, at several widths."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from codesample.evaluation.comparison import ComparedFigure, Comparison, ProblemChange, SettingChange
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.paired import Paired
from codesample.reports.comparison_table import ComparisonPage

PAIR = Paired(Estimate(-0.125, -0.25, 0.0), 0.0421, 3, 9, 20)
CHANGES = (
    *(ProblemChange(f"mini/{at}", 1.0, at / 10) for at in range(8)),
    ProblemChange("mini/[8]", 0.25, 0.5),
    ProblemChange("mini/9", 0.0, 1.0),
)


@pytest.fixture
def compared() -> Comparison:
    figures = tuple(
        ComparedFigure(name, Estimate(0.5, 0.4, 0.6), Estimate(0.375, 0.3, 0.5), PAIR, CHANGES)
        for name in ("pass@1", "pass@10", "public_examples > codet > mean_logprob", "oracle")
    )
    return Comparison(
        "runs/a",
        "runs/b",
        32,
        figures,
        settings=(SettingChange("temperature", 0.8, 0.2), SettingChange("revision", None, "abc")),
        only_first=tuple(f"mini/{at}" for at in range(100, 109)),
        notices=("both [x]",),
    )


def shown(compared: Comparison, width: int = 80, show: int = 5) -> str:
    stream = StringIO()
    Console(file=stream, width=width, soft_wrap=True).print(ComparisonPage(compared, show=show))
    return stream.getvalue()


@pytest.mark.parametrize("width", [48, 60, 80, 120])
def test_the_table_fits_and_no_figure_is_cut(compared: Comparison, width: int) -> None:
    text = shown(compared, width)
    told = text.split("no room")[0].split("differs")[0]
    rows = [line.rstrip() for line in told.splitlines()]
    assert max(map(len, rows)) <= width
    assert "…" not in text
    assert re.search(r"pass@1 +0\.500 +0\.375 +-0\.125" + r".*\.042 +3/9" * (width >= 60), text)
    assert ("-0.250..+0.000" in text) == (width >= 80)
    # what has no place is named
    assert ("no room     for 95 % interval" in text) == (width < 80)
    assert "mean_logprob" in text


@pytest.mark.parametrize("width", [50, 80])
def test_a_terminal_gets_lines_that_fit_behind_their_labels(compared: Comparison, width: int) -> None:
    stream = StringIO()
    console = Console(file=stream, width=width, force_terminal=True, color_system=None, soft_wrap=True)
    console.print(ComparisonPage(compared, show=0))
    lines = stream.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("only first"))
    assert lines[at + 1].startswith(" " * 12 + "mini/")


@pytest.mark.parametrize("width", [60, 80])
def test_names_are_broken_behind_signs_only(compared: Comparison, width: int) -> None:
    names = ("reads_arguments | z(mbr_exec,mean_logprob)", "weighted_unigram_consistency")
    figures = tuple(replace(compared.figures[0], name=name) for name in names)
    rows = [line.strip() for line in shown(replace(compared, figures=figures), width).splitlines()]
    assert max(map(len, rows[4:10])) <= width
    for whole in ("reads_arguments |", "z(mbr_exec,mean_logprob)", "weighted_unigram_consistency"):
        assert any(re.match(rf"(by )?{re.escape(whole)}(  |$)", row) for row in rows[6:10])
    assert sum("-0.125" in row for row in rows[6:10]) == 2


def test_what_differs_and_who_is_left_out_is_said(compared: Comparison) -> None:
    text = shown(compared)
    for line in (
        "two runs, paired by problem: 32 problems",
        "first       runs/a",
        "differs     temperature: 0.8, then 0.2",
        "differs     revision: not said, then abc",
        "only first  9 problems, which count nowhere: mini/100, mini/101, mini/102, mini/103, mini/104, "
        "and 4",
        "note        both [x]",
    ):
        assert line in text


def test_what_weakens_figures_stands_above_them_and_hashes_are_short(compared: Comparison) -> None:
    hashes = SettingChange("data_hash", "ab12" * 16, "cd34" * 16)
    text = shown(replace(compared, settings=(hashes, SettingChange("model", "deadbeef", "cafe"))))
    assert text.index("note        both [x]") < text.index("pass@1") < text.index("differs")
    assert "differs     data_hash: ab12ab12ab12..., then cd34cd34cd34...\n" in text
    assert "differs     model: deadbeef, then cafe\n" in text


def test_problems_are_named_worst_first_and_best_first(compared: Comparison) -> None:
    text = shown(compared, show=2)
    assert "lost        pass@1: mini/0 (1.00 to 0.00), mini/1 (1.00 to 0.10), and 6 more" in text
    assert "won         pass@1: mini/9 (0.00 to 1.00), mini/[8] (0.25 to 0.50)\n" in text
    assert "lost        by an oracle:" in text
    assert "pass@10:" not in text
    assert "more" not in shown(replace(compared, only_first=()), show=0)


def test_two_rerankers_have_one_figure(compared: Comparison) -> None:
    only = replace(compared, figures=compared.figures[2:3], run="runs/[x]", kind="rerankers", settings=())
    text = shown(only)
    assert "two rerankers of runs/[x], paired by problem" in text
    assert re.search(r"best of n +0\.500", text)
    assert "lost        best of n: mini/0" in text
