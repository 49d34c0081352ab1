"""A page in a browser is for everyone: light, dark, printed, by keys, read aloud."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ACCESSIBILITY = (Path(__file__).with_name("accessibility.js")).read_text(encoding="utf-8")


def test_light_and_dark_follow_the_system_or_the_choice(show: Callable[..., Any], page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = show(page).tab.evaluate(ground), show(page, dark=True).tab.evaluate(ground)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(16, 21, 28)")
    shown = show(page)
    shown.tab.select_option("#theme", "dark")
    assert shown.tab.evaluate(ground) == dark
    assert shown.open().tab.evaluate(ground) == dark


@pytest.mark.parametrize("place", ["", "Made/1/2", "other/3"])
@pytest.mark.parametrize("phone", [False, True])
def test_everyone_can_read_it(show: Callable[..., Any], page: Path, place: str, phone: bool) -> None:
    shown = show(page, place, phone=phone)
    tab = shown.tab
    for summary in tab.locator("summary:visible").all():
        if summary.locator("..").get_attribute("open") is None:
            shown.open_part(summary)
    assert tab.evaluate(ACCESSIBILITY) == []


def test_the_check_of_what_everyone_can_read_finds_faults(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.evaluate(
        """() => {
          const make = (tag) => document.querySelector("#overview").appendChild(document.createElement(tag));
          make("button");
          make("select");
          make("h1").textContent = "another";
          make("h5").textContent = "too deep";
          make("p").id = "live";
          const row = make("table").insertRow();
          row.insertCell().textContent = "no heads";
        }"""
    )
    said = " ".join(tab.evaluate(ACCESSIBILITY))
    for fault in (
        "no name",
        "no label",
        "skips from 1 to 5",
        "exactly one heading",
        "called live",
        "no heads",
        "no head of row",
    ):
        assert fault in said, fault


def test_first_stop_of_the_keyboard_is_the_way_past_the_bar(show: Callable[..., Any], page: Path) -> None:
    tab = show(page).tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.id") == "skip"
    assert tab.locator("#skip").is_visible()


def test_prints_without_what_only_a_screen_needs(show: Callable[..., Any], page: Path) -> None:
    tab = show(page, dark=True).tab
    tab.emulate_media(media="print")
    assert not tab.locator("header.bar").is_visible()
    assert not tab.locator("#heat-map").is_visible()
    assert tab.locator(".figures").is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
