from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.records import CallExample, ScriptExample
from codesample.tasks.examples import flaw_of, prompt_examples


def _pairs(text: str, name: str = "f") -> list[tuple[str, str]]:
    prompt = f'def {name}(x):\n    """ What it does.\n{text}\n    """\n'
    return [(example.call, example.expected) for example in prompt_examples(prompt, name)]


@pytest.mark.parametrize(
    "arrow", ["==", "=>", "==>", "->", "➞", "=", "returns", "should return", " # returns", "# =>"]
)
def test_a_call_an_arrow_and_a_value_are_an_example(arrow: str) -> None:
    assert _pairs(f"    f([1, 2]) {arrow} [2, 1]") == [("f([1, 2])", "[2, 1]")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3.", "3"),
        ("'No' (it begins with a digit)", "'No'"),
        ("[1, 5] # the rest is even", "[1, 5]"),
        ("19 - 5 - 6 = 8", "19 - 5 - 6"),
        ("{'a': 1}  ", "{'a': 1}"),
        ("None", "None"),
        ("set()", "set()"),
        ("-1", "-1"),
        ('"a # b."', "'a # b.'"),
        ("float('inf')", "float('inf')"),
    ],
)
def test_a_remark_behind_the_value_is_left_out(value: str, expected: str) -> None:
    assert _pairs(f"    f(1) => {value}") == [("f(1)", expected)]


@pytest.mark.parametrize(
    "line",
    [
        "f(a) => True",
        "f(1) => true",
        "f(1) => f(0) + 1",
        "f(1) is the first",
        "f(1) => 3 elements",
        'f(1) == ""torn"',
        "f(1",
        "f(1) =>",
        "f(__import__('os').getcwd()) == 1",
        "g.f(1) == 2",
        "half(1) == 2",
        "f(n) = f(n - 1) + f(n - 2)",
        'f(globals()["__builtins__"]["__import__"]("os").getcwd()) == 1',
        "f(().__class__.__base__.__subclasses__()) == 1",
        "f(1).__class__ == 1",
        "f(1) == [].__class__",
        "f(lambda: 1) == 1",
        "f([x for x in [1]]) == 1",
        "f(f'{1:9}') == 1",
        "f(9 ** 9) == 1",
        "f('a' * 9) == 1",
        "f('%9d' % 1) == 1",
        "f(1 << 9) == 1",
        "f(*[1]) == 1",
        "f(round(1, -9)) == 1",
        "f(round(ndigits=-9, number=1)) == 1",
        "f(sorted([1], key=len)) == 1",
        "f(getattr(1, 'real')) == 1",
        "f((y := 1)) == 1",
        "f(1) == 2 * 3",
    ],
)
def test_what_is_not_a_call_on_literals_and_a_literal_is_no_example(line: str) -> None:
    assert _pairs(f"    {line}") == []
    assert _pairs(f"    >>> {line}") == []


@pytest.mark.parametrize(
    "call", ["sorted(f([2, 1]), reverse=True)", "f(f(1)) + f(-2)", "f(x=[{1: (2,)}, {3}])"]
)
def test_a_few_functions_and_sums_may_stand_around_the_call(call: str) -> None:
    assert _pairs(f"    >>> {call}\n    3") == [(call, "3")]


def test_a_doctest_that_only_names_the_function_is_no_example() -> None:
    assert _pairs("    >>> len('f(1)')\n    4\n    >>> 'f(1)' == 'f(1)'") == []


def test_doctest_output_is_the_value() -> None:
    text = "    >>> f([1])\n    True\n    >>> f([2])\n    [1,\n     2]\n\n    Prose."
    assert _pairs(text) == [("f([1])", "True"), ("f([2])", "[1, 2]")]


def test_a_doctest_line_may_hold_the_comparison_itself() -> None:
    assert _pairs("    >>> f([1]) == 'x'\n    >>> f([2])\n    'y'") == [("f([1])", "'x'"), ("f([2])", "'y'")]


def test_a_doctest_without_output_returns_none() -> None:
    assert _pairs("    >>> f([])\n\n    >>> f([1])\n    1") == [("f([])", "None"), ("f([1])", "1")]


def test_a_doctest_may_go_on_over_lines_and_wrap_the_call() -> None:
    assert _pairs("    >>> round(f([1,\n    ...   2]), 2) # remark\n    0.5") == [
        ("round(f([1, 2]), 2)", "0.5")
    ]


def test_a_call_may_span_lines() -> None:
    assert _pairs("    f([\n      [1],\n      [2]\n    ], 1) == [(0, 0)]") == [
        ("f([[1], [2]], 1)", "[(0, 0)]")
    ]


def test_bullets_and_leading_words_do_not_matter() -> None:
    assert _pairs("    * f(1) => 2\n    for f(2) == 3\n    For example f(3) should return 4.") == [
        ("f(1)", "2"),
        ("f(2)", "3"),
        ("f(3)", "4"),
    ]


def test_repeats_count_once_and_wrong_examples_stay() -> None:
    assert _pairs("    f(1) == 2\n    f(1) == 2\n    f(1) == 3") == [("f(1)", "2"), ("f(1)", "3")]


def test_escapes_are_read_as_the_source_spells_them() -> None:
    assert _pairs('    >>> f("a\\nb")\n    "c\\nd"') == [("f('a\\nb')", "'c\\nd'")]


PIECES = st.sampled_from(
    [
        "f(",
        ")",
        "1",
        "[2]",
        "==",
        "=>",
        " -> ",
        "\n",
        ">>> ",
        "... ",
        "'",
        '"""',
        "#",
        "(",
        " = ",
        "returns ",
        "\\",
        "a",
        "\0",
    ]
)


@settings(max_examples=120)
@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_any_prompt_gives_pairs_that_are_statements(text: str) -> None:
    for example in prompt_examples(text, "f"):
        assert isinstance(example, CallExample)
        ast.parse(f"assert ({example.call}) == ({example.expected})")
        assert "f" in {node.id for node in ast.walk(ast.parse(example.call)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("text", ["f(" + "(1), " * 50_000, "f(1) == " + "( " * 50_000, "f(1) == a" * 9000])
def test_endless_calls_and_values_are_given_up(text: str) -> None:
    assert prompt_examples(text, "f") == ()


def test_an_example_that_cannot_be_run_is_told_why() -> None:
    assert flaw_of(CallExample("f(1)", "[2]")) == ""
    assert flaw_of(CallExample("f(1", "2")).startswith("call 'f(1' is not a Python expression: ")
    assert flaw_of(CallExample("f(1)", "2 # two")).startswith("expected '2 # two' is not a Python expression")


def test_any_text_can_be_fed_to_a_script() -> None:
    assert flaw_of(ScriptExample("f(1", "2 # two")) == ""
