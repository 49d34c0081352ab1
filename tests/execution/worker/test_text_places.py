"""Each statement is found by any place in it, without its neighbours and without its body."""

from __future__ import annotations

import ast

import pytest

from codesample.execution.worker.text_places import Statements

SOURCE = """\
@wrap(
    1
)
def f(
    x=2,
):
    # said

    '''doc'''; y = g('ü'); return y
if f(3): z = 4
elif f(
    5
): pass
match z:
    # said
    case 4: z = 6
"""


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((1, 1), "@wrap( 1 ) def f( x=2, ):"),
        ((5, 6), "@wrap( 1 ) def f( x=2, ):"),
        ((9, 6), "'''doc'''"),
        ((9, 19), "y = g('ü')"),
        ((9, 28), "return y"),
        ((10, 3), "if f(3):"),
        ((10, 9), "z = 4"),
        ((12, 4), "elif f( 5 ):"),
        ((14, 6), "match z:"),
        ((16, 12), "z = 6"),
        ((9, None), "'''doc'''; y = g('ü'); return y"),
        ((10, None), "if f(3): z = 4"),
        ((5, None), "@wrap( 1 ) def f( x=2, ):"),
        ((17, None), ""),
        ((99, 0), ""),
        ((0, None), ""),
    ],
)
def test_the_statement_at_a_place_is_given_on_one_line(place: tuple[int, int | None], said: str) -> None:
    assert Statements(SOURCE, ast.parse(SOURCE)).text(*place) == said


UNREAD = """\
a = (
  1)  # said

def f(): a = 'ü'; return '''b
c'''\r
    # said
b\x0c = 2
d = (
"""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (1, "a = ( 1)"),
        (2, "a = ( 1)"),
        (3, ""),
        (4, "def f(): a = 'ü'; return '''b c'''"),
        (5, "def f(): a = 'ü'; return '''b c'''"),
        (7, "b\x0c = 2"),
        (8, "d = ("),
        (9, ""),
    ],
)
def test_a_text_that_is_not_parsed_has_lines_that_belong_together(line: int, said: str) -> None:
    statements = Statements(UNREAD, None)
    assert statements.text(line, None) == said
    assert statements.lines == 8


@pytest.mark.parametrize("text", ["", "  a\n b\n", "\ud800 = 1\n", "'''", "\x00", "(" * 5000])
def test_a_text_that_is_no_python_is_read_all_the_same(text: str) -> None:
    assert Statements(text, None).text(1, None) == text.split("\n")[0].strip().replace("\ud800", "?")


@pytest.mark.parametrize("column", [0, 5, None])
def test_where_a_statement_begins_is_known_where_one_is_there(column: int | None) -> None:
    source = "a = 1\nb = (\n    2)\n"
    assert Statements(source, ast.parse(source)).start(3, column) == (2, 0)
    source = "a = 1; b = (\n    2)\n"
    assert Statements(source, ast.parse(source)).start(1, None) is None
