"""What the panel of lost problems says in a browser: who decided, who was silent, and what failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.scoring import Pool
from codesample.records import CodeTests, FinishReason, Problem, Status
from codesample.reports.html import write_page

PASSED, WRONG = Status.PASSED, Status.WRONG
NAME = "public_examples | mbr_exec,mean_logprob"
NO_EXAMPLE = "its prompt shows no example that could be read"
WRONG_LINES = "    y = 1\n    return x\n    q = 0\n"
RIGHT_LINES = "    y = 1\n    z = 2\n    return x\n    q = 1\n"
LONG = f"assert add({'1 + ' * 80}1) == 81"


@pytest.fixture(scope="module")
def page(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Three lost problems: by mbr_exec among the kept, by mean_logprob beside silent ones, by mbr_exec.

    Of the first the detail names the statement, of the second the checks do, of the third nothing does.
    """
    failed = f"line 4 of the tests: assert add(4) == 0, 'no'\n{'x' * 300}\nAssertionError: got 2, expected 0"
    lines, statuses = [WRONG_LINES, RIGHT_LINES, "    pass\n"], [WRONG, PASSED, WRONG]
    one = pool(problem("one"), lines, statuses, details=[failed, "", ""])
    bare = replace(problem("two", tests=CodeTests(source="", checks=("assert add(1)", LONG))), examples=())
    two = pool(bare, lines, statuses)
    three = pool(problem("three", tests=CodeTests(source="assert True")), lines, statuses)
    first, *others = one.candidates
    one = replace(one, candidates=(replace(first, finish_reason=FinishReason.LENGTH), *others))
    ranks: dict[str, list[float | None]] = {
        "one": [1.0, 0.0, None],
        "two": [2.0, 1.0, 0.0],
        "three": [1.0, 0.0, 0.0],
    }
    silent = dict.fromkeys(range(3), None)
    gave = {
        "one": {
            "public_examples": {0: 2.0, 1: 2.0, 2: 1.0},
            "mbr_exec": {0: 1.5, 1: 1.0},
            "mean_logprob": {0: -0.5, 1: -0.25},
        },
        "two": {
            "public_examples": silent,
            "mbr_exec": silent,
            "mean_logprob": {0: -1.0, 1: -2.0, 2: -3.0},
        },
        "three": {
            "public_examples": dict.fromkeys(range(3), 1.0),
            "mbr_exec": {0: 3.0, 1: 1.0, 2: 1.0},
            "mean_logprob": {0: -1.0, 1: -2.0, 2: -2.0},
        },
    }
    none: dict[str, list[float | None]] = {"one": [2.0, 2.0, 1.0], "two": [None] * 3, "three": [1.0] * 3}
    run = run_of([one, two, three], {NAME: ranks, "public_examples": none})
    file = tmp_path_factory.mktemp("lost") / "page.html"
    return write_page(replace(run, members={NAME: gave}), file)


def lost(show: Callable[..., Any], page: Path, name: str, *, phone: bool = False) -> Any:
    shown = show(page, phone=phone)
    # the first one is the best, and is called so
    shown.tab.select_option("#reranker", "0" if name == NAME else "1")
    shown.tab.locator("#lost-rows .pane").nth(1).wait_for()
    return shown


def test_above_the_lost_ones_stands_who_decided_and_who_was_silent(
    show: Callable[..., Any], page: Path
) -> None:
    told = lost(show, page, NAME).tab.locator("#lost-told").inner_text()
    assert told.endswith(
        "Of the lost ones: decided by mbr_exec in 2, mean_logprob in 1; without any score of public_examples "
        "in 1, of mbr_exec in 1."
    )


def test_a_plain_reranker_without_scores_is_counted_above_the_lost_ones(
    show: Callable[..., Any], page: Path
) -> None:
    told = lost(show, page, "public_examples").tab.locator("#lost-told").inner_text()
    assert told.endswith("Of the lost ones: without any score in 1.")


def test_a_lost_row_says_why_members_were_silent(show: Callable[..., Any], page: Path) -> None:
    rows = lost(show, page, NAME).tab.locator("#lost-rows details .numbers").all_inner_texts()
    assert rows == [
        "1 of 3 pass; decided by mbr_exec among the 2 of 3 that public_examples kept: 1.5 against 1; best "
        "passing one in place 2",
        f"1 of 3 pass; public_examples gave no score ({NO_EXAMPLE}); mbr_exec gave no score (no program "
        "returned anything on the inputs that were made); decided by mean_logprob: −1 against −2; best "
        "passing one in place 2",
        "1 of 3 pass; decided by mbr_exec: 3 against 1; best passing one in place 2",
    ]


def test_members_asked_about_what_a_filter_kept_are_said_to_be(show: Callable[..., Any], page: Path) -> None:
    words = lost(show, page, NAME).tab.locator("#lost-rows .pane > p").first.inner_text()
    assert words == (
        "✗ wrong place 1 · public_examples: 2 · mbr_exec among the 2 kept: 1.5 · mean_logprob among the 2 "
        "kept: −0.5 · answer reached the token limit"
    )


def test_a_closed_row_shows_the_statement_that_failed_and_how_many_checks_do(
    show: Callable[..., Any], page: Path
) -> None:
    rows = lost(show, page, NAME).tab.locator("#lost-rows details .why")
    one, two, three = rows.all()
    assert one.locator("code").all_inner_texts() == [
        "assert add(4) == 0, 'no'",
        "AssertionError: got 2, expected 0",
    ]
    # of a verdict with as many checks as the tests have
    assert "1 of 2 checks does not hold" in two.inner_text()
    statement, reason = two.locator("code").all_inner_texts()
    assert statement == f"{LONG[:159]}…"
    assert reason == "AssertionError"
    assert three.locator("code").all_inner_texts() == ["AssertionError"]
    assert "check" not in three.inner_text()


def test_the_reason_of_silence_stands_on_the_problem_in_picks_and_scores(
    show: Callable[..., Any], page: Path
) -> None:
    shown = show(page, "two/0")
    picks = shown.tab.locator("#pick-rows tr").first.inner_text()
    assert f"public_examples gave no score ({NO_EXAMPLE}); mbr_exec gave no score" in picks
    shown.open_part(shown.tab.get_by_text("Scores by every reranker"))
    row = shown.tab.locator("#candidate table tbody tr").nth(1)
    assert row.locator("td").all_inner_texts() == [f"no score: {NO_EXAMPLE}", "1 of 3, tied with 2 others"]


def test_a_tie_counts_the_others_in_words(show: Callable[..., Any], page: Path) -> None:
    picks = show(page, "one").tab.locator("#pick-rows tr").nth(1)
    assert picks.locator("td").first.inner_text() == "0 and 1 other tie"


def test_marks_of_lines_have_a_legend_of_those_that_occur(show: Callable[..., Any], page: Path) -> None:
    tab = lost(show, page, NAME).tab
    legend = tab.locator("#lost-rows .marks-legend").first
    assert legend.locator(".mark-key").count() == 3
    assert "green line below: the other one goes on with lines that are missing here" in legend.inner_text()
    tab.evaluate("location.hash = '#one/0'")
    tab.locator("#candidate .marks-legend").wait_for()
    tab.select_option("#compare-with", "")
    assert tab.locator("#candidate .marks-legend").count() == 0


@pytest.mark.parametrize("many", [3, 40])
def test_a_list_that_goes_on_below_its_frame_says_so(
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., Any],
    show: Callable[..., Any],
    tmp_path: Path,
    many: int,
) -> None:
    made = pool(problem("p"), [f"    return {at}\n" for at in range(many)], [WRONG] * many)
    tab = show(write_page(run_of([made]), tmp_path / "page.html"), "p").tab
    below = tab.locator("#group-below")
    if many == 3:
        assert not below.is_visible()
        return
    number = int(below.inner_text().split()[1])
    frame, rows = tab.locator("#group-frame").bounding_box(), tab.locator("#group-rows tr")
    ends = [box["y"] + box["height"] for box in (row.bounding_box() for row in rows.all())]
    assert number == sum(end > frame["y"] + frame["height"] + 2 for end in ends) > 0
    below.click()
    tab.wait_for_function(
        "before => parseInt(document.querySelector('#group-below').textContent.slice(2)) < before", arg=number
    )
    tab.evaluate("document.querySelector('#group-frame').scrollTo(0, 1e6)")
    below.wait_for(state="hidden")


def test_on_a_phone_everything_of_a_closed_row_stands_below_its_name(
    show: Callable[..., Any], page: Path
) -> None:
    shown = lost(show, page, NAME, phone=True)
    row = shown.tab.locator("#lost-rows summary").first
    lefts = {round(part.bounding_box()["x"]) for part in row.locator("> *").all()}
    assert len(lefts) == 1
