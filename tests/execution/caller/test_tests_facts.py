"""What tests settle by their text: nothing of it is asked of a program."""

from __future__ import annotations

import pytest

from codesample.execution.caller.tests_facts import TestsFacts, facts_of
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Tests


@pytest.mark.parametrize(
    ("tests", "facts"),
    [
        (CodeTests(source="assert f(1)", entry_point="f"), TestsFacts("split")),
        (CodeTests(source="assert g(f(1), N)", entry_point="f"), TestsFacts("split", names=("N", "g"))),
        (CodeTests(checks=("assert len(f(1))", "h()"), entry_point="f"), TestsFacts("split", names=("h",))),
        (CodeTests(source="assert g(f(1))", entry_point="f", stub="def g(x): return x"), TestsFacts("split")),
        (CodeTests(source="assert math.pi == f(1)", entry_point="f"), TestsFacts("split")),
        (
            CodeTests(source="assert isclose(f(1), g())", entry_point="f", stub="from math import *"),
            TestsFacts("split", names=("g",)),
        ),
        (
            CodeTests(source="from decimal import *\nassert Decimal(1) == f(1)", entry_point="f"),
            TestsFacts("split"),
        ),
        (CodeTests(source="assert f(1)"), TestsFacts("split", names=("f",))),
        (CodeTests(source="assert f(", entry_point="f"), TestsFacts("split")),
        (
            CodeTests(source=f"assert f(1{'+ 1' * 20_000})", entry_point="f"),
            TestsFacts("weak", "the tests are nested too deeply to be read"),
        ),
        (
            CodeTests(source="assert f(1)", entry_point="f", mode="in_process"),
            TestsFacts("weak", "asked for by the tests"),
        ),
        (InputTests(inputs=((1,),), reference="f = abs", entry_point="f"), TestsFacts("split")),
        (ScriptTests(cases=(ScriptExample("1", "2"),)), TestsFacts("io")),
    ],
)
def test_form_and_names_are_read_off_the_tests(tests: Tests, facts: TestsFacts) -> None:
    assert facts_of(tests) == facts
