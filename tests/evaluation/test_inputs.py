"""Inputs that need no model: from examples, variations of them, and stated types."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.evaluation.inputs import Input, made_inputs
from codesample.evaluation.test_options import TestOptions
from codesample.records import CallExample, Example, PublicView, ScriptExample

OPTIONS = TestOptions()


def view(*examples: Example, prompt: str = "def f(x): ...", entry_point: str | None = "f") -> PublicView:
    return PublicView("t", "t/0", prompt, prompt, entry_point, examples)


def calls(*texts: str) -> PublicView:
    return view(*(CallExample(text, "None") for text in texts))


def scripts(*texts: str) -> PublicView:
    return view(*(ScriptExample(text, "") for text in texts), entry_point=None)


def values(found: list[Input], name: str = "f") -> list[tuple[Any, ...]]:
    """Return the arguments of each call, read as literals."""
    rows = []
    for each in found:
        node = ast.parse(each.text, mode="eval").body
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        assert node.func.id == name
        rows.append(tuple(ast.literal_eval(argument) for argument in node.args))
    return rows


def test_examples_come_first_then_variations_each_once_up_to_the_cap() -> None:
    found = made_inputs(calls("f([1, 2, 3], 'ab')", "f([4], 'b')", "f([4], 'b')"), OPTIONS, 0)
    assert [each.text for each in found[:2]] == ["f([1, 2, 3], 'ab')", "f([4], 'b')"]
    assert [each.source for each in found] == ["examples"] * 2 + ["varied"] * 48
    assert len({each.text for each in found}) == 50
    assert all(isinstance(first, list) and isinstance(second, str) for first, second in values(found))


def test_the_seed_and_the_problem_settle_everything() -> None:
    one = calls("f([1, 2, 3], 'ab')")
    assert made_inputs(one, OPTIONS, 0) == made_inputs(one, OPTIONS, 0)
    assert made_inputs(one, OPTIONS, 0) != made_inputs(one, OPTIONS, 1)
    assert made_inputs(one, OPTIONS, 0) != made_inputs(replace(one, task_id="t/1"), OPTIONS, 0)


@pytest.mark.parametrize("source", ["examples", "varied", "typed"])
def test_sources_can_be_chosen(source: str) -> None:
    shown = view(CallExample("f(3)", "4"), prompt="def f(x: int): ...")
    found = made_inputs(shown, TestOptions(inputs=(source,)), 0)
    # types are for prompts without examples
    assert {each.source for each in found} == ({source} if source != "typed" else set())


def test_numbers_texts_and_lists_stay_what_they_are_in_examples() -> None:
    found = values(made_inputs(calls("f(3, 0.5, '0110', (1, 'a'), True, None)"), OPTIONS, 0))
    for whole, real, text, pair, flag, nothing in found:
        assert type(whole) is int
        assert whole > 0
        assert type(real) is float
        assert real > 0
        assert set(text) <= set("01")
        assert (type(pair), [type(each) for each in pair]) == (tuple, [int, str])
        assert type(flag) is bool
        assert nothing is None
    assert len({row[0] for row in found}) > 3
    assert len({row[2] for row in found}) > 3


def test_signs_come_where_an_example_has_one() -> None:
    found = values(made_inputs(calls("f(-3)", "f(5)"), OPTIONS, 0))
    assert {number < 0 for (number,) in found} == {True, False}


def test_lists_that_are_ordered_or_distinct_stay_so() -> None:
    found = values(made_inputs(calls("f([1, 4, 9])", "f([2, 3])"), OPTIONS, 0))
    assert all(row == sorted(row) and len(set(row)) == len(row) for (row,) in found)


def test_lists_of_equal_length_stay_equal_and_counts_stay_counts() -> None:
    found = values(made_inputs(calls("f([1, 2, 3], [4, 5, 6], 3)", "f([1, 9], [1, 1], 2)"), OPTIONS, 0))
    assert all(len(one) == len(other) == count for one, other, count in found)
    assert len({len(one) for one, _, _ in found}) > 1


def test_tables_keep_rows_of_equal_length() -> None:
    found = values(made_inputs(calls("f([[1, 2], [3, 4]])", "f([[1, 2, 3], [3, 4, 5]])"), OPTIONS, 0))
    assert all(len({len(row) for row in table}) <= 1 for (table,) in found)


def test_single_characters_stay_single() -> None:
    found = values(made_inputs(calls("f('abc', 'a')", "f('xyz', 'x')"), OPTIONS, 0))
    assert all(len(letter) == 1 for _, letter in found)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=2)
        | st.sets(st.integers() | st.text(max_size=1), max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(st.lists(NESTED, max_size=3), min_size=1, max_size=3))
def test_whatever_examples_hold_their_variations_are_expressions(rows: list[list[Any]]) -> None:
    shown = calls(*(f"f({', '.join(map(repr, row))})" for row in rows))
    found = made_inputs(shown, TestOptions(max_inputs=12), 0)
    assert len(found) <= 12
    for each in found:
        ast.parse(each.text, mode="eval")


@pytest.mark.parametrize(
    "call",
    [
        "f(",
        "f(x)",
        "f(**{})",
        "f(*[1])",
        "f(k=1)",
        "g(1)",
        "f",
        "1",
        "f(" + "[" * 90 + "]" * 90 + ")",
        "f(1)(2)",
        "",
    ],
)
def test_examples_that_cannot_be_varied_are_still_inputs(call: str) -> None:
    found = made_inputs(calls(call), OPTIONS, 0)
    assert Input(call, "examples") in found


@pytest.mark.parametrize(
    ("header", "kinds"),
    [
        ("a: int, b: float", (int, float)),
        ("a: str, b: bool", (str, bool)),
        ("a: list[int], b: List[List[str]]", (list, list)),
        ("a: dict[str, int], b: Dict[str, List[int]]", (dict, dict)),
        ("a: tuple[int, str], b: Tuple[int, ...]", (tuple, tuple)),
        ("a: set[int], b: typing.Sequence[int]", (set, list)),
        ("a: Optional[int], b: int | None", ((int, type(None)), (int, type(None)))),
        ("a: Union[int, str], b: Any", ((int, str), (int, str, list))),
        ("a: 'list[int]', b: Literal['x', 'y']", (list, str)),
        ("a: list, b: dict", (list, dict)),
        ("nums, k", (list, int)),
        ("text, words", (str, list)),
        ("a: int, b=3", (int, int)),
        ("self, a: int, b: str = 'x'", (int, str)),
    ],
)
def test_without_examples_types_and_names_say_what_to_pass(header: str, kinds: tuple[Any, ...]) -> None:
    prompt = f"import typing\n\n\ndef f({header}) -> int:\n    '''Do something: with it.'''\n"
    found = made_inputs(view(prompt=prompt), OPTIONS, 0)
    assert {each.source for each in found} == {"typed"}
    rows = values(found)
    assert len(rows) > 5
    for row in rows:
        assert len(row) <= len(kinds)
        for value, kind in zip(row, kinds, strict=False):
            assert isinstance(value, kind)
    for position in range(len(kinds)):
        assert len({repr(row[position]) for row in rows if len(row) > position}) > 1


@pytest.mark.parametrize(
    "prompt",
    [
        "def f(thing): ...",
        "def f(a: Widget): ...",
        "def f(*args): ...",
        "def f(*, k): ...",
        "def g(a: int): ...",
        "no code at all",
        "def f(",
        "def f(a: list[list[list[list[list[int]]]]]): ...",
        "def f(a: " + "list[" * 300 + "int" + "]" * 300 + "): ...",
        "",
    ],
    ids=range(10),
)
def test_where_nothing_is_known_nothing_is_made(prompt: str) -> None:
    assert made_inputs(view(prompt=prompt), OPTIONS, 0) == []


def test_a_signature_may_stand_in_prose() -> None:
    header = "def f(\n    a: int,\n    b: dict[str, int] = {'x': 1},\n) -> int:"
    prompt = f"Write this:\n\n```python\n{header}\n    pass\n```\n"
    assert len(made_inputs(view(prompt=prompt), OPTIONS, 0)) == 50


def test_script_inputs_keep_their_lines_words_and_counts() -> None:
    found = made_inputs(scripts("3\n4 5 6\n", "2\n1 9\n"), OPTIONS, 0)
    assert [each.source for each in found[:2]] == ["examples"] * 2
    assert len(found) > 10
    for each in found:
        count, row, end = each.text.split("\n")
        assert end == ""
        assert int(count) == len(row.split())
        assert all(int(word) > 0 for word in row.split())


def test_script_inputs_vary_words_of_any_kind() -> None:
    found = [each.text.split("\n") for each in made_inputs(scripts("abc 1.50 -3\n"), OPTIONS, 0)]
    words = [line.split() for line, _ in found]
    assert all(len(each) == 3 for each in words)
    assert all(len({each[at] for each in words}) > 1 for at in range(3))
    assert any(each[2].startswith("-") for each in words)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=2))
def test_any_script_input_can_be_varied(texts: list[str]) -> None:
    shown = view(*(ScriptExample(text, "") for text in texts), entry_point=None)
    for each in made_inputs(shown, TestOptions(max_inputs=10), 0):
        assert each.text.count("\n") in {text.count("\n") for text in texts}


def test_a_script_without_examples_has_no_inputs() -> None:
    assert made_inputs(view(entry_point=None, prompt="def f(x: int): ..."), OPTIONS, 0) == []


def test_none_are_made_where_none_are_wanted() -> None:
    assert made_inputs(calls("f(1)"), TestOptions(max_inputs=0), 0) == []
    assert made_inputs(calls("f(1)"), TestOptions(inputs=()), 0) == []
