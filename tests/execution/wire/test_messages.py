"""Tests of every kind cross as they are; results of checks cross as marks and come out shared."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.execution import Program
from codesample.execution.caller.executor import _verdict
from codesample.execution.wire import codec, messages
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Tests, Verdict

KINDS = [
    CodeTests(
        source="assert f(1)", checks=("f(2)", "f(3)"), entry_point="f", stub="import math", time_limit=2.0
    ),
    CodeTests(checks=("f(2)",), mode="in_process", memory=1 << 20, imports=("numpy",)),
    InputTests(inputs=(([1, 2], {3: (4,)}), (None, "x")), entry_point="f", reference="f = max", atol=0.5),
    InputTests(
        inputs=((1,),), entry_point="f", reference="f = abs", oracle="def accept(a, r, e): return True"
    ),
    ScriptTests(cases=(ScriptExample("1\n", "2"), ScriptExample("", "\ud800")), time_limit=0.5),
    ScriptTests(cases=(ScriptExample("1\n", "2"),), atol=1e-6, rtol=0.5),
    ScriptTests(cases=(ScriptExample("1\n", "2"),), checker="def accept(i, o, e): return True"),
]


@pytest.mark.parametrize("tests", KINDS)
def test_every_kind_crosses_with_all_its_fields(tests: Tests) -> None:
    sent = codec.decode(messages.encode_tests(tests), trusted=True)
    assert sent[0] == type(tests).__name__
    assert sent[1].keys() == {item.name for item in dataclasses.fields(tests)}
    assert messages.tests_from(sent) == tests


def test_a_kind_that_nobody_judges_is_refused() -> None:
    class OtherTests(CodeTests):
        pass

    for tests in (OtherTests(source="assert f(1)"), Tests()):
        with pytest.raises(ParameterError, match="cannot be judged; expected one of CodeTests, InputTests"):
            messages.encode_tests(tests)


@given(st.lists(st.booleans(), max_size=40))
def test_results_of_checks_come_back(results: list[bool]) -> None:
    assert messages.checks_from(messages.pack_checks(results)) == tuple(results)


def test_many_verdicts_of_many_checks_share_their_results() -> None:
    tests = InputTests(inputs=((1,),) * 1_000, entry_point="f", reference="f = abs")
    program = Program("t", 0, "", tests)
    marks = "1" * 1_000

    def arrived(checks: str) -> Verdict:
        reply: dict[str, Any] = {"status": "passed", "detail": "", "checks": messages.checks_from(checks)}
        return _verdict(program, reply)

    # a fresh string each time, as it comes from the socket
    verdicts = [arrived("".join([marks, ""])) for _ in range(1_000)]
    results = {id(verdict.checks): verdict.checks for verdict in verdicts}
    assert len(results) == 1
    each = sum(map(sys.getsizeof, results.values())) / len(verdicts) + sys.getsizeof(verdicts[0])
    assert 100_000 * each < 100 << 20
    assert all(verdicts[0].checks)
    assert len(verdicts[0].checks) == 1_000
