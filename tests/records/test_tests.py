"""What a kind of tests refuses where it is made, and how many checks it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codesample.errors import ParameterError
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Tests

CASE = ScriptExample("1", "2")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: CodeTests(), "no tests: give source, checks or both"),
        (lambda: CodeTests(source=" \n"), "no tests"),
        (
            lambda: CodeTests(source="x", mode="beside"),
            "mode = 'beside': expected 'auto', 'split' or 'in_process'",
        ),
        (lambda: InputTests(inputs=(), reference="x", entry_point="f"), "at least one input"),
        (lambda: InputTests(inputs=((1,),), reference=" ", entry_point="f"), "a reference"),
        (lambda: InputTests(inputs=((1,),), reference="x", entry_point=""), "an entry point"),
        (lambda: InputTests(inputs=((1,),), entry_point="f"), "either a reference or the expected results"),
        (
            lambda: InputTests(inputs=((1,),), reference="x", expected=(1,), entry_point="f"),
            "either a reference",
        ),
        (lambda: InputTests(inputs=((1,),), expected=(), entry_point="f"), "0 expected results for 1 inputs"),
        (
            lambda: InputTests(inputs=((1,),), expected=(1,), entry_point="f", input_limit=0.0),
            "input_limit = 0.0: expected a number above 0",
        ),
        (lambda: InputTests(inputs=((1,),), reference="x", entry_point="f", atol=-1.0), "atol = -1.0: exp"),
        (lambda: ScriptTests(cases=()), "at least one case"),
        (lambda: CodeTests(source="x", time_limit=0.0), "time_limit = 0.0: expected a number above 0"),
        (lambda: CodeTests(source="x", time_limit=float("nan")), "time_limit = nan"),
        (lambda: ScriptTests(cases=(ScriptExample("", ""),), memory=-1), "memory = -1"),
        (lambda: ScriptTests(cases=(CASE,), atol=-1e-9), "atol = -1e-09: expected a finite number of at le"),
        (lambda: ScriptTests(cases=(CASE,), rtol=float("inf")), "rtol = inf: expected a finite number"),
        (lambda: ScriptTests(cases=(CASE,), rtol=float("nan")), "rtol = nan: expected a finite number"),
        (lambda: ScriptTests(cases=(CASE,), checker=" "), "checker is empty; it must define accept"),
        (lambda: ScriptTests(cases=(CASE,), checker="x", atol=1.0), "a checker compares by itself"),
        (lambda: ScriptTests(cases=(CASE,), parts=(("base", 2),)), "sizes that make up the 1 checks"),
        (
            lambda: ScriptTests(cases=(CASE,), parts=(("base", 0), ("plus", 1))),
            "at least one check in the fi",
        ),
        (lambda: ScriptTests(cases=(CASE,), parts=(("a", 2), ("b", -1))), "sizes that make up the 1 checks"),
        (lambda: ScriptTests(cases=(CASE,) * 2, parts=(("a", 1), ("a", 1))), "names that are there and dif"),
        (lambda: ScriptTests(cases=(CASE,), parts=(("", 1),)), "names that are there and differ"),
        (lambda: ScriptTests(cases=(CASE,), parts=("a", 1)), r"parts\[0\] = 'a'"),
        (lambda: CodeTests(source="x", parts=(("a", 1),)), "sizes that make up the 0 checks"),
    ],
)
def test_tests_that_could_judge_nothing_are_refused_where_they_are_made(
    make: Callable[[], Tests], complaint: str
) -> None:
    with pytest.raises(ParameterError, match=complaint):
        make()


def test_each_kind_knows_how_many_checks_have_a_result() -> None:
    assert CodeTests(source="assert f(1)").check_count == 0
    assert CodeTests(source="x = 1", checks=("assert f(1)", "assert f(2)")).check_count == 2
    assert InputTests(inputs=((1,), (2,), (3,)), reference="x", entry_point="f").check_count == 3
    assert ScriptTests(cases=(ScriptExample("1", "2"),)).check_count == 1


def test_parts_are_stretches_of_the_checks_in_their_order() -> None:
    cases = (CASE,) * 5
    assert ScriptTests(cases=cases).part_ends == {}
    parts = (("public", 2), ("private", 3), ("generated", 0))
    tests = ScriptTests(cases=cases, parts=parts)
    assert tests.part_ends == {"public": 2, "private": 5, "generated": 5}
    assert list(tests.part_ends) == ["public", "private", "generated"]
