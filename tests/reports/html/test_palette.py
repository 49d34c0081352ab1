"""Every text of a page can be read on what it stands on, in light and in dark."""

from __future__ import annotations

import pytest

from codesample.reports.html.palette import DARK, LIGHT, SERIES, contrast

GROUNDS = ("page", "panel", "raised")
TEXTS = [(text, ground) for text in ("ink", "muted", "accent") for ground in GROUNDS]
TEXTS += [("accent-ink", "accent"), ("good", "good-page"), ("bad", "bad-page"), ("warn", "warn-page")]
TEXTS += [("ink", ground) for ground in ("good-page", "bad-page", "warn-page")]
TEXTS += [("ink", f"token-{step}") for step in range(1, 6)]
TEXTS += [
    (f"code-{kind}", ground)
    for kind in ("keyword", "string", "number", "comment", "name", "builtin")
    for ground in ("panel", "good-page", "bad-page")
]
TEXTS += [("muted", "panel"), ("bad", "panel"), ("good", "panel"), ("accent", "raised"), ("page", "ink")]
SIGNS = [(name, "page") for name in (*SERIES, "edge", "cell-pass", "good", "bad")]
SIGNS += [("cell-mark", f"cell-{kind}") for kind in ("fail", "error", "limit")]
SIGNS += [("cell-pass", f"cell-{kind}") for kind in ("fail", "error", "limit", "none")]


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS, ids=map(" on ".join, TEXTS))
def test_text_can_be_read(colours: dict[str, str], text: str, ground: str) -> None:
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("sign", "ground"), SIGNS, ids=map(" on ".join, SIGNS))
def test_what_carries_meaning_without_text_can_be_seen(
    colours: dict[str, str], sign: str, ground: str
) -> None:
    assert contrast(colours[sign], colours[ground]) >= 3


def test_both_palettes_name_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#abcdef", "#abcdef", 1)],
)
def test_contrast_is_that_of_the_guideline(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(expected, abs=0.005)
