"""Hidden tests on a page, as far as there is room, and the first check that a program fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from codesample.evaluation.scoring import Pool
from codesample.records import CodeTests, InputTests, Problem, ScriptExample, ScriptTests, Status, Tests
from codesample.reports.html.problem_parts import hidden_tests_text, problem_part

CODE = CodeTests(source="x = 1", checks=("assert f(1) == 1", "assert f(2) == 4"))
INPUTS = InputTests(inputs=((1, "a"), (2, "b")), entry_point="f", expected=([1], [2]))
ASKED = InputTests(inputs=((1,), (2,)), entry_point="f", reference="def f(x): return x")
SCRIPT = ScriptTests(cases=(ScriptExample("", ""), ScriptExample("1 2\n", "3\n")))
HUGE = InputTests(inputs=((10**6000,), (10**6000,)), entry_point="f", expected=(0, 0))


@pytest.mark.parametrize(
    ("tests", "text"),
    [
        (CODE, "assert f(2) == 4"),
        (INPUTS, "f(2, 'b') == [2]"),
        (ASKED, "f(2)  # as the reference returns"),
        (SCRIPT, "input:\n1 2\n\nexpected output:\n3\n"),
        (HUGE, "f(<int that is too long to be spelt>) == 0"),
    ],
)
def test_the_first_check_that_fails_is_told_as_a_person_reads_it(
    tests: Tests, text: str, problem: Callable[..., Problem], pool: Callable[..., Pool]
) -> None:
    made = pool(problem("p", tests=tests), ["a", "b"], [Status.WRONG, Status.PASSED])
    part = problem_part(made, "ask", {}, with_tokens=())
    assert part["checks"] == {1: text}
    assert [row.get("failed") for row in part["candidates"]] == [1, None]


def test_where_verdicts_have_other_checks_none_is_named(
    problem: Callable[..., Problem], pool: Callable[..., Pool]
) -> None:
    made = pool(problem("p"), ["a"], [Status.WRONG])
    verdicts = (replace(made.verdicts[0], checks=(True, True, False)),)
    part = problem_part(Pool(made.problem, made.candidates, verdicts), "ask", {}, with_tokens=())
    assert part["checks"] == {}


def test_tests_are_told_as_far_as_there_is_room() -> None:
    assert hidden_tests_text(CODE, most=100) == "x = 1\nassert f(1) == 1\nassert f(2) == 4"
    assert hidden_tests_text(CODE, most=5) == "x = 1 ..."
    many = InputTests(inputs=tuple((at,) for at in range(90)), entry_point="f", expected=tuple(range(90)))
    assert hidden_tests_text(many, most=10_000).splitlines()[-1] == "... and 50 more"
    wide = InputTests(inputs=(tuple(range(5000)),), entry_point="f", expected=(0,))
    assert len(hidden_tests_text(wide, most=10_000)) < 700
