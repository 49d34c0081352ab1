"""Hidden tests in words."""

from __future__ import annotations

import pytest

from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Tests, Verdict
from codesample.reports.html.check_texts import check_text, first_failed, hidden_tests_text

CODE = CodeTests(source="x = 1", checks=("assert f(1) == 1", "assert f(2) == 4"))
INPUTS = InputTests(inputs=((1, "a"), (2, "b")), entry_point="f", expected=([1], [2]))
ASKED = InputTests(inputs=((1,),), entry_point="f", reference="def f(x): return x")
SCRIPT = ScriptTests(cases=(ScriptExample("1 2\n", "3\n"),))
HUGE = InputTests(inputs=((10**6000,), tuple(range(5000))), entry_point="f", expected=(0, 0))


@pytest.mark.parametrize(
    ("tests", "at", "text"),
    [
        (CODE, 1, "assert f(2) == 4"),
        (CODE, 2, ""),
        (INPUTS, 1, "f(2, 'b') == [2]"),
        (ASKED, 0, "f(1)"),
        (SCRIPT, 0, "input:\n1 2\n\nexpected output:\n3\n"),
        (SCRIPT, 1, ""),
        (HUGE, 0, "f(<int that is too long to be spelt>) == 0"),
    ],
)
def test_a_check_is_told_as_a_person_reads_it(tests: Tests, at: int, text: str) -> None:
    assert check_text(tests, at) == text


def test_checks_of_any_size_are_told_shortly() -> None:
    assert len(check_text(HUGE, 1)) < 700


def test_the_first_check_that_fails_is_found() -> None:
    verdict = Verdict("p", 0, Status.WRONG, checks=(True, False, False))
    assert first_failed(verdict) == 1
    assert first_failed(Verdict("p", 0, Status.WRONG)) is None
    assert first_failed(Verdict("p", 0, Status.PASSED, checks=(True,))) is None


def test_tests_are_told_as_far_as_there_is_room() -> None:
    assert hidden_tests_text(CODE, most=100) == "x = 1\nassert f(1) == 1\nassert f(2) == 4"
    assert hidden_tests_text(CODE, most=5) == "x = 1 ..."
    many = InputTests(inputs=tuple((at,) for at in range(90)), entry_point="f", expected=tuple(range(90)))
    assert hidden_tests_text(many, most=10_000).splitlines()[-1] == "... and 50 more"
