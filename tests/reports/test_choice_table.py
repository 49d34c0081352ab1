"""The table of rerankers, at several widths, and what is said below it."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from codesample.evaluation.choice import Greedy, Selection, VarianceSplit
from codesample.evaluation.intervals import Estimate
from codesample.evaluation.leaks import HiddenOnly
from codesample.evaluation.paired import Paired
from codesample.evaluation.report import Report, Seconds
from codesample.reports.choice_table import folded
from codesample.reports.terminal import render
from codesample.rerankers.made_once import Cost

HALF = Estimate(0.5, 0.4, 0.6)
BETTER = Paired(Estimate(0.125, 0.05, 0.2), 0.0123, 30, 10, 46)
CHAIN = "public_examples > codet(k=3) > mean_logprob"


@pytest.fixture
def report() -> Report:
    return Report(
        task="mini",
        model="tiny",
        problems=86,
        n=32,
        n_max=32,
        samples=2752,
        pass_at_k={1: HALF},
        rerankers={
            "mean_logprob": Selection(Estimate(0.625, 0.5, 0.7), Estimate(0.25, -0.05, 0.5), BETTER),
            CHAIN: Selection(HALF, Estimate(0.0, 0.0, 0.0), replace(BETTER, p=0.0001)),
        },
        random=HALF,
        oracle=Estimate(1.0, 0.95, 1.0),
        seconds=Seconds(10.0, 9.0, 12.0),
        tokens=123456,
        tokens_per_second=12345.6,
        statuses={"passed": 2000},
        isolation="confined",
        notices=(),
        run=Path("runs/x"),
    )


def shown(report: Report, width: int = 80, *, costs: bool = False) -> str:
    stream = StringIO()
    Console(file=stream, width=width).print(render(report, costs=costs))
    return stream.getvalue()


def table(text: str) -> list[str]:
    return text.split("\nverdicts")[0].splitlines()


@pytest.mark.parametrize("width", [48, 50, 60, 70, 80, 100, 140])
def test_no_line_of_the_table_is_wider_than_the_terminal_and_no_figure_is_cut(
    report: Report, width: int
) -> None:
    lines = table(shown(report, width))
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    # gaps closed give way first
    for figure in ("0.625", "0.500 - 0.700", *(("25 %", "100 %") if width >= 60 else ())):
        assert any(figure in line for line in lines)


def test_a_roomy_terminal_shows_intervals_of_gaps_and_differences_with_p(report: Report) -> None:
    wide, narrow = shown(report, 80), shown(report, 60)
    assert "25 % (-5..50)" in wide
    assert "+0.125 (.012)" in wide
    assert "+0.125 (<.001)" in wide
    assert "over random, p" in wide
    # but in the line that says so
    assert "no room     for" not in wide
    assert narrow.count("over random") == narrow.count("no room     for over random, p") == 1


def test_zero_has_no_sign(report: Report) -> None:
    almost = replace(report.rerankers["mean_logprob"], gap_closed=Estimate(-0.001, -0.004, 0.3))
    assert "0 % (0..30)" in shown(replace(report, rerankers={"x": almost}))


def test_names_of_compositions_break_at_their_seams(report: Report) -> None:
    lines = [line.rstrip() for line in table(shown(report, 60))]
    at = next(number for number, line in enumerate(lines) if "by public_examples >" in line)
    assert lines[at + 1].strip() == "codet(k=3) >"
    assert lines[at + 2].strip() == "mean_logprob"
    assert any(f"by {CHAIN}" in line for line in table(shown(report, 140)))


@pytest.mark.parametrize("width", [4, 12, 20, 40])
@pytest.mark.parametrize("label", [f"  by {CHAIN}", "plain", "a,b,c,d", "0.3*a + 0.7*b", "x" * 50, ""])
def test_folding_changes_nothing_but_spaces(label: str, width: int) -> None:
    lines = folded(label, width).split("\n")
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", label)
    seams = re.split(r"(?<=[,>+|])", label.replace(" ", ""))
    assert all(len(line.strip()) <= max(width, *(len(each) + 3 for each in seams)) for line in lines)


@pytest.mark.parametrize("width", [1, 8, 16, 24, 40, 200])
def test_names_break_behind_signs_and_never_in_brackets_quotes_or_words(width: int) -> None:
    pieces = [
        "reads_arguments |",
        "0.5*z(codet(k=3, seed=1),mean_logprob) +",
        "rank(a > b | c) >",
        '"a file, of mine.py:x",',
        "- 2*srank",
    ]
    lines = [line.strip() for line in folded("  by " + " ".join(pieces), width).split("\n")]
    assert " ".join(lines) == "by " + " ".join(pieces)
    assert all(line.endswith(tuple(",>+|")) for line in lines[:-1])
    if width == 1:
        assert lines == ["by reads_arguments |", *pieces[1:]]


@pytest.mark.parametrize("width", [60, 76, 80])
def test_figures_give_way_to_a_name_that_has_no_seam(report: Report, width: int) -> None:
    name = "z(public_examples > codet(k=3) > mean_logprob)"
    lines = table(shown(replace(report, rerankers={name: Selection(HALF, None, BETTER)}), width))
    (line,) = (each for each in lines if name in each)
    assert "0.500" in line
    assert max(map(len, lines)) <= width


def test_names_are_no_markup(report: Report) -> None:
    odd = replace(report, rerankers={"judge[x]": Selection(HALF, None, None)})
    assert "by judge[x]" in shown(odd)
    assert "no gap" in shown(odd)


def test_who_abstains_is_said_with_how_often(report: Report) -> None:
    some = Selection(HALF, None, BETTER, abstained=12 / 86, undecided=0.2)
    text = shown(replace(report, rerankers={"public_examples": some}))
    assert "abstained   public_examples gave no scores on 12 of 86 problems" in text
    text = shown(replace(report, rerankers={"x": replace(some, abstained=1.0, undecided=1.0)}))
    assert "abstained   x gave no scores on every problem" in text
    text = shown(replace(report, rerankers={"x": replace(some, abstained=0.0, undecided=1.0)}))
    assert "undecided   x preferred no candidate of any problem" in text
    assert "abstained" not in text


def test_one_below_random_says_why(report: Report) -> None:
    worse = Selection(HALF, None, BETTER, below_random="its choices are shorter")
    text = shown(replace(report, rerankers={"sum[x]": worse}), 120)
    assert "below       sum[x] is below random: its choices are shorter" in text
    assert "below " not in shown(report)


def test_parts_stand_below_the_whole(report: Report) -> None:
    parts = Selection(HALF, None, BETTER, parts={"base": Estimate(0.75, 0.7, 0.8)})
    lines = table(shown(replace(report, rerankers={"x": parts})))
    at = next(number for number, line in enumerate(lines) if "by x" in line)
    assert "on base" in lines[at + 1]
    assert "0.750" in lines[at + 1]


def test_a_greedy_run_has_a_row_and_a_source(report: Report) -> None:
    greedy = Greedy(Estimate(0.55, 0.5, 0.6), "runs/greedy", BETTER)
    text = shown(replace(report, greedy=greedy))
    assert re.search(r"greedy +0\.550", text)
    assert "greedy      from runs/greedy" in text
    assert "greedy" not in shown(report)


def test_figures_without_shown_checks_have_a_section(report: Report) -> None:
    hidden = HiddenOnly(
        80, 6, random=HALF, oracle=Estimate(0.9, 0.8, 1.0), rerankers={"x": Estimate(0.7, 0.6, 0.8)}
    )
    text = shown(replace(report, hidden_only=hidden), 100)
    assert "hidden checks, at random" in text
    assert "counts the checks that no prompt shows, on 80 of 86 problems" in text
    assert "hidden " not in shown(report)
    nothing = shown(replace(report, hidden_only=HiddenOnly(0, 2)), 200)
    assert "hidden checks, at random" not in nothing
    assert f"hidden      nothing of 2 of {report.problems} problems: their prompts show every" in nothing
    assert re.search(r"by x +0\.700 +0\.600 - 0\.800 +50 %", text)


def test_uncertainty_is_split(report: Report) -> None:
    text = shown(replace(report, variance=VarianceSplit(sampling=0.0123, problems=0.045)), 120)
    assert "0.045 from the choice of problems, 0.012 from that of candidates" in text


def test_costs_are_shown_on_request_with_the_price_of_a_point(report: Report) -> None:
    paid = replace(report.rerankers["mean_logprob"], cost=Cost(125_000, 25, 0, 50.0))
    priced = replace(
        report,
        rerankers={"judge": paid, "worse": replace(paid, over_random=None), "old": Selection(HALF, None)},
    )
    text = shown(priced, costs=True)
    assert "tokens drawn" not in shown(priced)
    assert re.search(r"judge +125,000 +25 +0 +50\.0", text)
    assert re.search(r"a point over random +10,000 +2 +0 +4\.0", text)
    assert "none gained" in text
    assert re.search(r"old +not known", text)
    assert Text.from_ansi(text).plain == text
