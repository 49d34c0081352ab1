"""White space that can be seen, and nothing that a terminal would act on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.reports.visible import ASCII, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a b", "a b"),
        ("a\n", "a⏎\n"),
        ("a  \n\tb ", "a··⏎\n⇥b·"),
        ("a\r\nb", "a␍⏎\nb"),
        ("    \n", "····⏎\n"),
        ("\u200bx\u00a0y", "<U+200B>x<U+00A0>y"),
        ("\x1b[2Jx\x00", "<U+001B>[2Jx<U+0000>"),
        ("é😀", "é😀"),
        ("\ud800", "<U+D800>"),
    ],
)
def test_what_cannot_be_seen_is_marked(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_plain_marks_are_plain() -> None:
    assert visible("é \t\n ", ASCII) == "<U+00E9> \\t\\n\n\\s"


@given(st.text(max_size=30))
def test_only_line_breaks_are_left_of_what_is_not_printed(text: str) -> None:
    for marks in ({}, {"marks": ASCII}):
        shown = visible(text, **marks)  # type: ignore[arg-type]
        assert shown.count("\n") == text.count("\n")
        assert all(char == "\n" or char.isprintable() for char in shown)
        assert not shown.endswith(" ")
    assert shown.isascii()
