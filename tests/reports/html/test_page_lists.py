"""The list of problems and the map in a browser: filtered, searched, walked by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


def rows(tab: Any) -> list[str]:
    return list(tab.locator("#problem-rows tr th a").all_inner_texts())


@pytest.mark.parametrize(
    ("control", "value", "left"),
    [
        ("filter-outcome", "lost", ["Made/1"]),
        ("filter-outcome", "won", ["Made/2"]),
        ("filter-outcome", "mixed", ["Made/1", "Made/2"]),
        ("filter-outcome", "none", ["other/3"]),
        ("filter-outcome", "every", []),
        ("filter-outcome", "ungraded", []),
        ("filter-status", "t", ["other/3"]),
        ("filter-status", "e", ["Made/2"]),
        ("order", "fewest", ["other/3", "Made/1", "Made/2"]),
        ("order", "lost", ["Made/1", "Made/2", "other/3"]),
    ],
)
def test_problems_are_filtered_and_sorted(
    show: Callable[..., Any], page: Path, control: str, value: str, left: Sequence[str]
) -> None:
    tab = show(page).tab
    tab.select_option(f"#{control}", value)
    assert rows(tab) == left
    expected = f"{len(left)} of 3 problems shown" if left else "No problem fits these filters."
    assert tab.locator("#problem-count").inner_text() == expected
    tab.click("#clear-filters")
    assert rows(tab) == ["Made/1", "Made/2", "other/3"]


@pytest.mark.parametrize(
    ("words", "where", "left"),
    [
        ("made/", "names", ["Made/1", "Made/2"]),
        ("NEEDLE", "texts", ["Made/2"]),
        ("haystack", "texts", ["Made/2"]),
        ("haystack", "names", []),
        ("while x", "texts", ["other/3"]),
        ("<b>.*", "texts", []),
    ],
)
def test_problems_are_searched(
    show: Callable[..., Any], page: Path, words: str, where: str, left: Sequence[str]
) -> None:
    tab = show(page).tab
    tab.select_option("#search-where", where)
    tab.keyboard.press("/")
    tab.wait_for_selector("#search:focus")
    tab.keyboard.type(words)
    tab.wait_for_function(
        "left => document.querySelectorAll('#problem-rows tr').length === left", arg=len(left)
    )
    assert rows(tab) == left


def test_keys_walk_through_problems_and_candidates(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.textContent") == "Made/2"
    tab.keyboard.press("k")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#problem-body:visible")
    assert tab.locator("#problem-name").inner_text() == "Made/1"
    assert tab.evaluate("document.activeElement.id") == "problem-name"
    tab.keyboard.press("j")
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 1'")
    assert tab.locator("#live").inner_text() == "Candidate 1, passed"
    tab.keyboard.press("ArrowUp")
    tab.wait_for_function("() => document.querySelector('#candidate-name').textContent === 'Candidate 0'")
    tab.keyboard.press("n")
    tab.wait_for_function("() => document.querySelector('#problem-name').textContent === 'Made/2'")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#overview:visible")
    assert tab.evaluate("document.activeElement.textContent") == "Made/2"
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.locator("#keys").uncheck()
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert not tab.locator("#help").is_visible()


def test_a_letter_typed_into_a_field_is_a_letter(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.focus("#search")
    tab.keyboard.type("jk?/n")
    assert tab.input_value("#search") == "jk?/n"
    assert not tab.locator("#help").is_visible()


def test_the_map_is_walked_by_keys_and_opened_by_a_click(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.focus("#heat-map")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    assert tab.locator("#heat-told").inner_text() == "Made/2, candidate 1: error"
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/2/1")
    tab.keyboard.press("Escape")
    tab.wait_for_selector("#overview:visible")
    tab.select_option("#heat-order", "score")
    tab.wait_for_function("() => document.querySelector('#heat-frame').clientHeight > 20")
    tab.locator("#heat-map").click(position={"x": 125, "y": 5})
    tab.wait_for_selector("#problem-body:visible")
    assert tab.url.endswith("#Made/1/0")


def test_the_legend_of_the_map_has_the_marks_that_occur(show: Callable[..., Any], page: Path) -> None:
    kinds = show(page).tab.locator(".legend [data-kind]:visible")
    assert [text.strip() for text in kinds.all_inner_texts()] == [
        "passed",
        "╱ wrong",
        "╳ error",
        "─ a limit was hit",
    ]


def test_the_map_shows_verdicts_in_the_palettes_colours(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.wait_for_timeout(100)
    colours = tab.evaluate(
        """() => {
          const pen = document.querySelector("#heat-map").getContext("2d");
          const ratio = window.devicePixelRatio;
          const at = (cell) => pen.getImageData((120 + 26 * cell + 2) * ratio, 2 * ratio, 1, 1).data;
          return [0, 1].map((cell) => [...at(cell).slice(0, 3)]);
        }"""
    )
    wanted = tab.evaluate(
        "names => { const style = getComputedStyle(document.documentElement);"
        " return names.map(name => style.getPropertyValue('--' + name).trim()); }",
        ["cell-fail", "cell-pass"],
    )
    assert colours == [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in wanted]
