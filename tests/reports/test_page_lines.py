"""Lines of pages show any text as it is, steer no terminal, and stay in bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.reports.page_lines import Surface, code_lines, cut, labelled, lines_of_spans

CODE = 'def f(x):\n    """Say."""\n\treturn "a" + x  # why\n'


SCREEN = Surface()


def shown(text: str, surface: Surface = SCREEN, **settings: object) -> list[str]:
    return [line.plain for line in code_lines(text, surface, **settings)]  # type: ignore[arg-type]


def test_code_is_shown_line_by_line_with_colours() -> None:
    lines = list(code_lines(CODE, Surface(), numbered=True))
    assert [line.plain for line in lines] == [
        "  1 | def f(x):",
        '  2 |     """Say."""',
        '  3 |     return "a" + x  # why',
    ]
    colours = {str(span.style) for span in lines[0].spans}
    assert any("magenta" in colour for colour in colours)


def test_marked_lines_are_told_apart_without_colours() -> None:
    assert shown("a\nb\nc", marked={1}) == ["    a", "  > b", "    c"]


@given(st.text(max_size=40))
def test_nothing_of_any_text_steers_a_terminal_and_no_line_is_lost(text: str) -> None:
    for plain in (True, False):
        for python in (True, False):
            lines = shown(text, Surface(plain=plain), python=python)
            assert len(lines) == len(text.removesuffix("\n").split("\n"))
            assert all(line.replace("\t", "").isprintable() for line in lines)
            assert not plain or all(line.isascii() for line in lines)


@pytest.mark.parametrize(
    "text", ["\x1b[2J\x1b]0;title\x07", "\x00", "\ud800", "\u202eevil\u2066", "\r\x08", "\x9b2J"]
)
def test_hostile_text_stands_as_numbers(text: str) -> None:
    (line,) = shown(f"x = 1{text}")
    assert line.isprintable()
    assert "<U+" in line


def test_long_texts_are_cut_and_say_so() -> None:
    (line,) = shown("x" * 1_000_000)
    assert len(line) < 500
    assert line.endswith("999,600 more characters")
    many = shown("pass\n" * 100_000)
    assert len(many) == 401
    assert many[-1] == "  ... 99,600 more lines"
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("spans", "lines"),
    [
        ([], set()),
        ([(0, 2)], {0}),
        ([(0, 3)], {0}),
        ([(2, 4)], {0, 1}),
        ([(3, 3)], set()),
        ([(3, 5), (9, 10)], {1, 3}),
    ],
)
def test_lines_of_spans(spans: list[tuple[int, int]], lines: set[int]) -> None:
    # ab / cd / ef / g
    assert lines_of_spans("ab\ncd\nef\ng", spans) == lines


@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\n"), max_size=80),
    st.integers(56, 90),
)
def test_labelled_text_is_wrapped_below_itself(text: str, width: int) -> None:
    lines = [line.plain for line in labelled("label", f"words and {text} more", Surface(width=width))]
    assert lines[0].startswith("label       ")
    assert all(line.startswith(" " * 12) for line in lines[1:])
    assert all(len(line) <= width for line in lines)
