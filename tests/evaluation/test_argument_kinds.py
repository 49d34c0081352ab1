"""Kinds of arguments: what signatures and examples say of them, and which calls suit."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.evaluation.argument_kinds import ArgumentKinds, kinds_of
from codesample.records import CallExample, PublicView


def kinds(header: str, *calls: str) -> ArgumentKinds:
    prompt = f"def f({header}):\n    '''Do it.'''\n" if header else "Do it."
    return kinds_of(
        PublicView("t", "t/0", prompt, prompt, "f", tuple(CallExample(each, "1") for each in calls))
    )


@pytest.mark.parametrize(
    ("header", "calls", "words"),
    [
        ("a: int, b: List[str]", (), "int, List[str]"),
        ("a, b", ("f([1, 2], 'x')",), "list[int], str"),
        ("a, b", ("f([], 1)", "f([[1.5], []], 2)"), "list[list[float] | list], int"),
        ("a: list", ("f([1])",), "list[int]"),
        ("a", ("f({'x': (1, 'y')})", "f(None)"), "dict[str, tuple[int, str]] | None"),
        ("", ("f(1, 'a')",), "int, str"),
        ("a", (), ""),
        ("a, b: int", (), ""),
        ("", (), ""),
    ],
)
def test_kinds_are_told_from_types_and_else_from_examples(
    header: str, calls: tuple[str, ...], words: str
) -> None:
    assert kinds(header, *calls).words == words


@pytest.mark.parametrize(
    ("header", "calls", "call", "suits"),
    [
        ("a: list[int]", (), "f([1])", True),
        ("a: list[int]", (), "f(1)", False),
        ("a: List[float], b: float", (), "f([1.0], 1)", True),
        ("a: float", (), "f('1')", False),
        ("a: int", (), "f(True)", True),
        ("a: int", (), "f(1.5)", False),
        ("a: Optional[int]", (), "f('x')", True),
        ("a: Widget", (), "f('x')", True),
        ("a", ("f([1])",), "f(1)", False),
        ("a", ("f(1)",), "f(2.5)", True),
        ("a", (), "f(1)", True),
        ("a", (), "f(1, 2)", False),
        ("a, b", (), "f(1)", False),
        ("a, b=1", (), "f(1)", True),
        ("*a", (), "f(1, 2, 3)", True),
        ("a: int", (), "f(a='x')", True),
        ("a: int", (), "f(*[1])", True),
        ("a: int", (), "f(2 ** 3)", True),
        ("a: int", (), "f('x'.upper())", True),
        ("self, a: int", (), "f(1)", True),
        ("", ("f(1, 2)", "f(1)"), "f()", False),
        ("", ("f(1, 2)", "f(1)"), "f(1)", True),
        ("", (), "f(1, 'x', [])", True),
        ("a: int", (), "sorted(f('x'))", True),
        ("a: int", (), "f(", True),
    ],
)
def test_calls_with_other_kinds_or_numbers_of_arguments_do_not_suit(
    header: str, calls: tuple[str, ...], call: str, suits: bool
) -> None:
    assert kinds(header, *calls).suit(call, "f") is suits


@pytest.mark.parametrize(
    ("header", "calls", "opening"),
    [
        ("a: list[int]", (), "["),
        ("a", ("f([1])", "f([])"), "["),
        ("a: Dict[str, int]", (), "{"),
        ("a: list = []", (), ""),
        ("a: int", (), ""),
        ("a", ("f([1])", "f(1)"), ""),
        ("", (), ""),
    ],
)
def test_an_argument_can_be_begun_where_it_begins_the_same_way_always(
    header: str, calls: tuple[str, ...], opening: str
) -> None:
    assert kinds(header, *calls).opening == opening


@given(
    st.lists(st.lists(st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers())), min_size=1)
)
def test_examples_always_suit_what_they_say(rows: list[list[object]]) -> None:
    calls = [f"f({', '.join(map(repr, row))})" for row in rows]
    found = kinds("", *calls)
    assert all(found.suit(call, "f") for call in calls)
