"""One problem of a page in a browser: its candidates, their tokens, and links to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.records import Problem, Status
from codesample.reports.html import write_page

PASSED, WRONG = Status.PASSED, Status.WRONG
BLANKS = re.compile(r"\s+")


def test_a_problem_shows_everything_of_its_candidates(show: Callable[..., Any], page: Path) -> None:
    shown = show(page, "Made/1")
    tab = shown.tab
    assert tab.title() == "Made/1 · made by scripted"
    assert "2 of 4 candidates pass · 2 distinct programs" in tab.locator("#problem-facts").inner_text()
    assert "Return x plus one." in tab.locator("#asked").inner_text()
    assert "add(0) == 1" in tab.locator("#asked").inner_text()
    picks = tab.locator("#pick-rows tr").all_inner_texts()
    assert [BLANKS.sub(" ", text) for text in picks] == [
        "good 0 ✗ wrong 0.9 1, 0.5, place 3",
        "tied 0 and 1 other tie tie: 50 % pass 1 1, 1, place 1",
    ]
    # the pick of the chosen reranker is what one sees first, its equals told with it
    assert tab.locator("#candidate-name").inner_text() == "Candidate 0"
    assert "the same program: 2" in tab.locator("#candidate").inner_text()
    tab.get_by_text("Answer as the model wrote it").click()
    answer = tab.locator("pre[aria-label='Answer of candidate 0']")
    answer.wait_for()
    assert "    return x - 1" in answer.inner_text()
    shown.open_part(tab.get_by_text("Scores by every reranker"))
    scores = tab.locator("#candidate table tbody tr").all_inner_texts()
    assert [BLANKS.sub(" ", text) for text in scores] == [
        "good 0.9 1 of 4",
        "tied 1 1 of 4, tied with 1 other",
    ]


def test_tokens_tell_their_log_probability(show: Callable[..., Any], page: Path) -> None:
    tab = show(page, "Made/1/1").tab
    tab.get_by_text("Tokens by log-probability").click()
    tokens = tab.locator(".tokens .token")
    tokens.first.wait_for()
    assert tokens.all_text_contents() == ["    ", "retu", "rn x", " + 1\n"]
    steps = [
        each.split("token-")[1] for each in tokens.evaluate_all("all => all.map(each => each.className)")
    ]
    assert steps == ["1", "3", "4", "5"]
    tokens.nth(1).hover()
    assert tab.locator("#candidate .told").inner_text() == (
        'token 2 of 4, "retu": log-probability −0.70, chance 50 %'
    )
    tab.locator(".tokens").focus()
    tab.keyboard.press("ArrowRight")
    assert "token 3 of 4" in tab.locator("#candidate .told").inner_text()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("ArrowLeft")
    assert tab.locator("#candidate .told").inner_text() == (
        'token 1 of 4, "    ": log-probability −0.01, chance 99 %'
    )
    assert tab.locator("#candidate-name").inner_text() == "Candidate 1"


def test_links_lead_to_problems_and_candidates_and_back(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.locator("#problem-rows a").nth(1).click()
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/2")
    tab.locator("#group-rows a").nth(1).click()
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 1'")
    assert tab.url.endswith("#Made/2/1")
    tab.go_back()
    tab.go_back()
    tab.wait_for_selector("#overview:visible")
    tab.goto(page.as_uri() + "#Made/9/1")
    tab.wait_for_selector("#missing:visible")
    assert "There is no “Made/9/1” on this page." in tab.locator("#missing").inner_text()


@pytest.mark.parametrize(
    "names",
    [["figures", "lost", "top"], ["a", "a/1", "a/1/2"], [":x", "x/0"], ["a b%2F#ü?", "é/𝒳", "../..", "%"]],
)
def test_every_id_has_links_of_its_own(
    names: Sequence[str],
    problem: Callable[..., Problem],
    pool: Callable[..., Pool],
    run_of: Callable[..., RunContents],
    show: Callable[..., Any],
    tmp_path: Path,
) -> None:
    run = run_of([pool(problem(name), ["    return 1\n"] * 3, [PASSED, WRONG, WRONG]) for name in names])
    shown = show(write_page(run, tmp_path / "page.html"))
    links = shown.tab.locator("#problem-rows a").evaluate_all(
        "all => all.map(each => each.getAttribute('href'))"
    )
    for name, link in zip(names, links, strict=True):
        shown.follow(link, name)
        shown.tab.locator("#group-rows a:not([aria-current])").click()
        shown.tab.wait_for_function(
            "() => document.querySelector('#candidate-name').textContent === 'Candidate 1'"
        )
        assert shown.tab.locator("#problem-name").text_content() == name
        shown.open(shown.tab.evaluate("location.hash").removeprefix("#"))
        assert shown.tab.locator("#problem-name").text_content() == name
        assert shown.tab.locator("#candidate-name").inner_text() == "Candidate 1"
    assert shown.said == []
