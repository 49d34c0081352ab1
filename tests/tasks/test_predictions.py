from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.tasks.cruxeval.predictions import ENTRY_POINT, input_program, output_program

CODE = "known = [1]\ndef f(*args, **more):\n    return args\n"


def value_of(program: str) -> Any:
    names: dict[str, Any] = {}
    exec(program, names)
    return names[ENTRY_POINT]()


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("3", 3),
        (" 'a == b' ", "a == b"),
        ("assert f(1) == [2]", [2]),
        ("assert f('a == b') == 'c == d'", "c == d"),
        ("assert [2] == f(1)", [2]),
        ("f(1) == {'a': 1}", {"a": 1}),
        ("assert f(1) == (1, 2), 'said'", (1, 2)),
        ("[ANSWER]\nassert f(1) == 5\n[/ANSWER]", 5),
        ("[ANSWER]5[/ANSWER] no: [ANSWER]\n6\n[/ANSWER]\nmore", 6),
        ("[ANSWER]\nassert f(1) == 5", 5),
        ("assert f(1) == 5\n[/ANSWER]", 5),
        ("'a' + str(123)", "a123"),
        ("(1 if True else 2)", 1),
        ("[\n 1,\n 2]", [1, 2]),
        ("'\\d'", "\\d"),
    ],
)
def test_a_predicted_result_is_what_stands_right_of_the_assertion(said: str, value: object) -> None:
    assert value_of(output_program(said)) == value


@pytest.mark.parametrize(
    "said",
    [
        *("", "??", "[ANSWER][/ANSWER]", "1 or True", "not 1", "1 == 1", "x = 1", "1\nimport os", "("),
        *("1 if 0 else 2", "1; 2", "\0"),
    ],
)
def test_what_is_no_result_is_none(said: str) -> None:
    with pytest.raises(SyntaxError, match="states no result"):
        value_of(output_program(said))


def test_a_result_that_calls_the_function_finds_none() -> None:
    for said in ("f(1)", "[f(1)][0]", "(f)(1)"):
        with pytest.raises(NameError):
            value_of(output_program(said))
    # both sides call it: neither is a result
    with pytest.raises((NameError, SyntaxError)):
        value_of(output_program("f(1) == f(1)"))


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("f(1, 'a')", (1, "a")),
        ("assert f([1, 2]) == 3", ([1, 2],)),
        ("assert 3 == f([1, 2])", ([1, 2],)),
        ("f()", ()),
        ("f(*[1, 2])", (1, 2)),
        ("f(list(range(3)), 'ab'.upper())", ([0, 1, 2], "AB")),
        ("f([x * 2 for x in (1, 2)], sorted([2, 1], key=lambda v: -v))", ([2, 4], [2, 1])),
        ("f(known[:])", ([1],)),
        ("f(f(1)[0])", (1,)),
        ("[ANSWER]\nassert f(7) == (7,)\n[/ANSWER]", (7,)),
    ],
)
def test_predicted_arguments_are_those_of_the_call(said: str, arguments: tuple[object, ...]) -> None:
    assert value_of(input_program(CODE, said)) == arguments


@pytest.mark.parametrize(
    "said",
    ["", "3", "g(3)", "f", "5 if f(1) else 5", "(f(1), 5)[1]", "f(1) or 5", "f(??)", "f(1).x", "f(1)\nf = 2"],
)
def test_what_is_no_call_of_the_function_is_none(said: str) -> None:  # fmt: skip
    with pytest.raises(SyntaxError, match="states no call of f"):
        value_of(input_program(CODE, said))


@pytest.mark.parametrize(
    "said",
    [
        "f(setattr(f, '__code__', (lambda *a: 5).__code__))",
        "f(f.__setattr__('__code__', 1))",
        "f(globals().update(f=len))",
        "f((x := 1))",
        "f(exec('known = 2'))",
        "f(__import__('os'))",
        "f(eval('1'))",
        "f(f)",
        "f([].__class__)",
        "f(getattr(known, 'append'))",
        "f(type)",
    ],
)
def test_a_call_that_could_change_the_function_is_refused(said: str) -> None:
    with pytest.raises(SyntaxError, match="made of more than values"):
        value_of(input_program(CODE, said))


@given(st.text(alphabet="f()=1,'[] assert\nANSWER/x:_.", max_size=40))
@settings(max_examples=500)
def test_whatever_is_said_there_is_a_program(said: str) -> None:
    for program in (output_program(said), input_program(CODE, said)):
        compile(program, "<program>", "exec")


def test_a_value_nested_too_deep_is_no_value() -> None:
    for said in ("[" * 5000 + "]" * 5000, "-" * 50_000 + "1", "f(" * 3000 + ")" * 3000):
        compile(output_program(said), "<program>", "exec")
        compile(input_program(CODE, said), "<program>", "exec")
