"""Asserts and calls in what a model wrote: what is read, what is not, and that no text does harm."""

from __future__ import annotations

import ast
import time

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from codesample.evaluation.assert_reading import literal_value, modules_in, read_asserts


def statements(text: str, name: str = "f") -> list[str]:
    return [each.statement for each in read_asserts(text, name) if each.statement]


def pairs(text: str) -> list[tuple[str | None, str | None]]:
    return [(each.call, each.expected) for each in read_asserts(text, "f")]


@pytest.mark.parametrize(
    "text",
    [
        "assert f(1) == 2",
        "assert f(1)==2, 'a message'",
        "assert 2 == f(1)",
        "assert (f(1)) == (2)  # a remark",
        "    assert f(1) == 2",
        "```python\nassert f(1) == 2\n```",
        "Sure! Here it is:\n```\nassert f(1) == 2\n```\nThat is all.",
        "def test_f():\n    assert f(1) == 2",
        "def test_f(): assert f(1) == 2",
        "def check(candidate):\n    assert candidate(1) == 2",
        "assert f(\n    1\n) == 2",
        "f(1) == 2",
        "print(f(1) == 2)",
        "print(f(1))  # 2",
        "print(f(1))  # Expected output: 2",
        "f(1)  # should return 2",
        "f(1) -> 2",
        "- `f(1) == 2`",
        "1. f(1) == 2",
        ">>> f(1)\n2",
        ">>> f(1)\n2\nassert f(1) == 2",
        "    self.assertEqual(f(1), 2)",
        "self.assertEqual(2, f(1), 'a message')",
        "class T(TestCase):\n    def test_it(self):\n        self.assertEqual(f(1), 2)",
        "x = 1\nassert f(x) == 2",
        "result = f(1)\nassert result == 2",
        "result = f(1)\nexpected = 2\nassert result == expected",
        "assert Solution().f(1) == 2",
        "assert f(1) == 2; assert f(1) == 2",
        "assert f(1) == 2\r\n",
        "assert f(1) == 2\nassert f(2) == [1, 2",
        "assert f(2 == \nassert f(1) == 2",
        "assert f(1) == 2\nassert f(",
    ],
)
def test_an_assert_is_read_however_it_is_written(text: str) -> None:
    assert set(statements(text)) == {"assert f(1) == 2"}
    assert set(pairs(text)) == {("f(1)", "2")}


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("assert f(1) is True", "assert f(1) is True"),
        ("assert f(1) is None", "assert f(1) is None"),
        ("assert not f(1)", "assert not f(1)"),
        ("assert f(1)", "assert f(1)"),
        ("assert abs(f(1) - 0.5) < 1e-6", "assert abs(f(1) - 0.5) < 1e-06"),
        ("assert math.isclose(f(1), 0.5)", "assert math.isclose(f(1), 0.5)"),
        ("assert f(1) != 2", "assert f(1) != 2"),
        ("assert f(1) == f(2)", "assert f(1) == f(2)"),
        ("assert f(1) == [0] * 3", "assert f(1) == [0] * 3"),
        ("assert isinstance(f(1), int)", "assert isinstance(f(1), int)"),
        ("assert all(f(n) == n for n in range(3))", "assert all((f(n) == n for n in range(3)))"),
        ("assert 1 == f(1) == 1", "assert 1 == f(1) == 1"),
        ("self.assertTrue(f(1))", "assert f(1)"),
        ("self.assertFalse(f(1))", "assert not f(1)"),
        ("self.assertIsNone(f(1))", "assert f(1) is None"),
        ("self.assertIn(f(1), [1, 2])", "assert f(1) in [1, 2]"),
        ("self.assertAlmostEqual(f(1), 0.5)", "assert abs(f(1) - 0.5) < 1e-07"),
    ],
)
def test_what_is_no_comparison_with_a_literal_is_kept_as_a_statement(text: str, statement: str) -> None:
    assert statements(text) == [statement]
    assert pairs(text) == [(None, None)]


def test_both_sides_are_known_where_the_value_is_a_literal() -> None:
    assert pairs("assert sorted(f([1])) == [1]") == [("sorted(f([1]))", "[1]")]
    assert read_asserts("assert sorted(f([1])) == [1]", "f")[0].calls == ("f([1])",)
    assert pairs("assert f(k=1) == {'a': {1, 2}, 'b': (-1.5, None, True)}") == [
        ("f(k=1)", "{'a': {1, 2}, 'b': (-1.5, None, True)}")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "assert 1 == 1",
        "assert g(1) == 2",
        "assert my_f(1) == 2",
        "assert f == 2",
        "assert f(1) == ",
        "f(1) is what we test",
        "assert f(unknown) == 2",
        "assert f(__import__('os').system('ls')) == 0",
        "assert f(open('/etc/passwd').read()) == 0",
        "assert f(eval('1')) == exec('2')",
        "assert f(().__class__.__bases__) == 1",
        "assert f(x := 1) == 2",
        "import os\nos.system('ls')",
        "def f(x):\n    return x",
        "assert f(input()) == 1",
    ],
)
def test_what_tests_nothing_or_reaches_out_is_left(text: str) -> None:
    assert statements(text) == []


def test_calls_without_a_value_are_inputs() -> None:
    (found,) = read_asserts("print(f([1, 2]))", "f")
    assert (found.statement, found.calls) == ("", ("f([1, 2])",))
    (found,) = read_asserts("f([1, 2])", "f")
    assert found.calls == ("f([1, 2])",)


def test_names_of_the_prompt_may_be_used() -> None:
    text = "assert f(helper(1)) == 2"
    assert read_asserts(text, "f") == []
    (found,) = read_asserts(text, "f", {"helper"})
    assert found.statement == text


def test_a_value_of_another_test_does_not_stay() -> None:
    text = "def test_a():\n    x = 1\n    assert f(x) == 1\ndef test_b():\n    assert f(x) == 2"
    assert statements(text) == ["assert f(1) == 1"]


def test_classes_are_called_too() -> None:
    (found,) = read_asserts("assert Stack([1]).pop() == 1", "Stack")
    assert (found.call, found.expected) == ("Stack([1]).pop()", "1")


def test_modules_are_those_that_are_mentioned() -> None:
    assert modules_in(["assert math.isclose(f(1), 2)", "f(collections.Counter())"]) == ("collections", "math")


@pytest.mark.parametrize(
    "text", ["f(1)", "1 +", "(" * 500, "-" * 5000 + "1", "1" * 6000, "[" * 3000, "{[]: 1}"]
)
def test_what_is_no_literal_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a literal"):
        literal_value(text)


HOSTILE = [
    "assert f(" + "(" * 5000,
    "assert f(" + "[" * 90 + "]" * 90 + ") == 1",
    "assert f(" + "-" * 1400 + "1) == 1",
    "assert f(" + "not " * 300 + "1) == 1",
    "assert f(1)" + ".a" * 600 + " == 1",
    "assert f(1)" + "(1)" * 400 + " == 1",
    "assert f(10**10**10) == 9**9**9**9",
    "assert f('a' * 10**12) == [0] * 10**12",
    "assert f(" + "9" * 5000 + ") == 1",
    "assert f(1 << 10**9) == 1",
    "assert f('\ud800') == '\udfff'",
    "assert f('\x00') == 1\x00",
    "assert f(é) == 'ＡＢ'",
    "ａｓｓｅｒｔ f(1) == 2",
    "assert f(1) == 2 " * 3000,
    "f(" * 10_000,
    ">>> f(" * 3000,
    "f(1) -> " * 3000,
    "x = [f(1), f(1)]\n" + "x = [x, x]\n" * 60 + "assert f(x) == 1",
    "\n".join(f"x{n} = [x{n - 1}, x{n - 1}]" for n in range(1, 60)) + "\nassert f(x59) == 1",
    "assert f(f'{" * 200,
    "assert f(lambda: (yield)) == 1",
    "assert f(" + "lambda: " * 190 + "1) == 1",
    "assert f(" + "[*" * 90 + "]" * 90 + ") == 1",
    "print(f(1)) # " + "expected: " * 2000,
    "assert f(1) == 1 if " + "1 else " * 300,
    "'" * 20_000,
    "#" * 20_000,
    "\\" * 20_000,
    "assert f(1) == 2 \\\n" * 2000,
    "[" * 19_000 + "f(1)",
    ("[\n" * 9_000) + "f(1) == 2",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_no_time_and_raises_nothing(text: str) -> None:
    begun = time.process_time()
    for found in read_asserts(text, "f"):
        compile(found.statement, "", "exec")
        found.statement.encode()
        assert all(ast.parse(call, mode="eval") for call in found.calls)
    assert time.process_time() - begun < 5.0


PIECES = st.sampled_from(
    [
        *("assert ", "f(", "1", "2.5", ")", " == ", "[", "]", "{", "}", "'", '"', ",", "\n", "    ", ">>> "),
        *("# ", "->", "def t():", "x", " = ", "print(", "self.assertEqual(", "lambda ", ":", "not ", " in "),
        *("```", "\\", "\x00", "\ud800", "é", "**10", "is None", "for x in ", "import os", ".", "__class__"),
        *("candidate(", "yield "),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
@example("assert f(1) == 2 == f(3)")
@example("f(f'{x!r:>{10}}') == 1")
def test_any_text_can_be_read(text: str) -> None:
    for found in read_asserts(text, "f"):
        assert found.statement or found.calls
        if found.statement:
            (node,) = ast.parse(found.statement).body
            assert isinstance(node, ast.Assert)
            assert "f(" in found.statement
            assert "\n" not in found.statement
        if found.call is not None:
            assert found.expected is not None
            literal_value(found.expected)
        # what was read once is read the same again
        assert [each.statement for each in read_asserts(found.statement, "f")] == [found.statement] * bool(
            found.statement
        )


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_characters_can_be_read(text: str) -> None:
    read_asserts(text, "f")
    read_asserts(f"assert f({text}) == 1", "f")
