"""What comes of tests and a program: no reply can pass them, spare itself a verdict or end the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import ParameterError
from codesample.execution import Executor, Limits, Program, run
from codesample.execution.worker.checklist import Finding
from codesample.execution.worker.code_tests import PreparedCode
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.input_tests import PreparedInputs
from codesample.execution.worker.kinds import prepare
from codesample.execution.worker.measured import Measured
from codesample.execution.worker.remote import Remote
from codesample.records import CodeTests, InputTests, Status, Tests, Verdict

Judge = Callable[..., Verdict]
Remotes = Callable[..., Remote]

CHECK_SECONDS = 5.0


def made_for_f(**fields: Any) -> Tests:
    """Make tests of `f`, of the kind that has these fields."""
    kind = InputTests if "inputs" in fields else CodeTests
    return kind(**{"entry_point": "f", **fields})


@pytest.fixture
def judged(executor: Executor, worker_pids: Any) -> Judge:
    """Judge a program by tests of `f`, and see that its worker lives on."""

    def submit(source: str, /, **tests: Any) -> Verdict:
        executor.submit(Program("t", 0, "f = abs", made_for_f(source="f(1)"))).result(60)
        before = worker_pids(executor)
        verdict = executor.submit(Program("t", 0, source, made_for_f(**tests))).result(120)
        assert before <= worker_pids(executor)
        return verdict

    return submit


def by_inputs(value: str, **more: Any) -> dict[str, Any]:
    return {"inputs": ((1,), (2,)), "reference": f"def f(x):\n    return {value}", **more}


LONG = "def f(x):\n    return 10**5000"


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        (LONG, {"source": "assert f(1) == 1"}),
        (LONG, {"source": "assert f(1) == 1, f(1)"}),
        (LONG, {"source": "raise ValueError(f(1))"}),
        (LONG, by_inputs("x")),
        (LONG, by_inputs("x", atol=1e-6)),
        (LONG, by_inputs("0.5")),
        ("def f(x):\n    return [10**5000, {10**5000: x}]", by_inputs("[x]")),
        ("def f(x):\n    return 3", by_inputs("10**400", atol=1e-6)),
        ("def f(x):\n    return [3, 3]", by_inputs("[x, 10**400]", atol=1e-6)),
        ("def f(x):\n    return 3 + 0j", by_inputs("10**400", atol=1e-6)),
    ],
)
def test_numbers_beyond_floats_and_decimal_digits_are_wrong_like_any_other(
    judged: Judge, source: str, tests: dict[str, Any]
) -> None:
    assert judged(source, **tests).status is Status.WRONG


@pytest.mark.parametrize("value", ["object()", "[object()]", "{1: (object(),)}", "iter([1])", "f"])
def test_a_reference_whose_results_cannot_be_compared_passes_nobody(judged: Judge, value: str) -> None:
    tests = by_inputs(value)
    for source in (tests["reference"], "class A: pass\ndef f(x):\n    return A()"):
        verdict = judged(source, **tests)
        assert verdict.status is Status.HARNESS_ERROR
        assert "not plain data" in verdict.detail


CLASS = "class Box:\n    {}\ndef f(x):\n    return Box()"


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        (CLASS.format("__eq__ = lambda self, other: True"), "assert f(1) == 4"),
        (CLASS.format("__eq__ = lambda self, other: True"), "assert not f(1) != 4"),
        (CLASS.format("__ne__ = lambda self, other: False"), "assert not f(1) != 4"),
        (CLASS.format("__lt__ = lambda self, other: True"), "assert f(1) < 4"),
        (CLASS.format("__hash__ = lambda self: 4"), "assert f(1) not in {4}"),
        (CLASS.format("__contains__ = lambda self, item: item == 3"), "assert 3 in f(1)"),
        (CLASS.format("pass"), "assert isinstance(f(1), Box)"),
        (CLASS.format("pass"), "assert not isinstance(f(1), Box)"),
        (CLASS.format("pass"), "try:\n    f(1)\n    1 / 0\nexcept Box:\n    pass"),
        ("class f(int):\n    __eq__ = lambda self, other: True", "assert f(1) == 4"),
    ],
)
def test_what_only_the_object_could_answer_is_unsupported_not_wrong(
    judged: Judge, source: str, tests: str
) -> None:
    assert judged(source, source=tests, mode="split").status is Status.UNSUPPORTED_VALUE


def test_an_object_handed_out_twice_is_the_same(judged: Judge) -> None:
    source = "class Box: pass\nbox = Box()\ndef f(x):\n    return box if x else Box()"
    assert judged(source, source="assert f(1) is f(2) and f(1) == f(2)\nassert f(1) != f(0)").passed


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ("f = tuple", {"source": "assert f([1, 2]) == (1, 2)"}),
        ("f = tuple", {"inputs": (([1, 2],),), "reference": "def f(x):\n    return tuple(x)"}),
        (
            "class F(list):\n    __call__ = lambda self, x: x\nf = F()",
            {"source": "assert f(2) == 2"},
        ),
    ],
)
def test_a_function_counts_as_used_whatever_its_type(
    judged: Judge, source: str, tests: dict[str, Any]
) -> None:
    assert judged(source, **tests).passed


@pytest.mark.parametrize("source", ["f = {2: 4}", "f = 4", "f = 'abs'"])
def test_plain_data_in_place_of_a_function_is_an_error(judged: Judge, source: str) -> None:
    swallowing = "try:\n    f(2)\nexcept TypeError:\n    pass"
    assert judged(source, source=swallowing).status is Status.ERROR
    assert judged(source, **by_inputs("x")).status is Status.ERROR
    absent = "try:\n    g(2)\nexcept NameError:\n    pass"
    assert judged(source, entry_point=None, source=absent).status is Status.ERROR


def test_imports_that_fail_in_the_tests_are_not_the_program_s_fault(judged: Judge) -> None:
    for tests in (
        {"source": "import no_such_module\nassert f(1) == 1"},
        {"checks": ("from no_such_module import x",)},
        {"source": "assert f(1) == 1", "stub": "import no_such_module"},
        by_inputs("x", oracle="def accept(arguments, result, expected):\n    import no_such_module"),
    ):
        verdict = judged("def f(x):\n    return x", **tests)
        assert verdict.status is Status.HARNESS_ERROR
        assert "no_such_module" in verdict.detail
    importing = "def f(x):\n    import no_such_module"
    assert judged(importing, source="assert f(1) == 1").status is Status.ERROR
    assert judged(importing, **by_inputs("x")).status is Status.ERROR


def test_an_import_error_of_the_program_stays_its_own(judged: Judge) -> None:
    source = "def f(x):\n    raise (ImportError if x else ValueError)"
    cleaning = """
try:
    f(1)
finally:
    try:
        f(0)
    except ValueError:
        pass
"""
    assert judged(source, source=cleaning).status is Status.ERROR


def test_modules_granted_to_programs_are_granted_to_their_tests() -> None:
    pytest.importorskip("numpy")
    tests = CodeTests(
        source="import numpy as np\nassert np.allclose(f([1.0, 2.0]), [2.0, 4.0])", entry_point="f"
    )
    source = "import numpy as np\ndef f(x):\n    return (2 * np.array(x)).tolist()"
    (verdict,) = run([Program("t", 0, source, tests)], workers=1, limits=Limits(imports=("numpy",)))
    assert verdict.passed, verdict


def test_tests_cannot_be_led_to_take_all_memory(judged: Judge) -> None:
    source = """
class Endless:
    __len__ = lambda self: 4_000_000_000
    __iter__ = lambda self: iter([1])
def f(x):
    return Endless() if x else 1 << 30_000_000
"""
    assert judged(source, source="assert tuple(f(1)) == (1,)").status is Status.WRONG
    assert judged(source, source="assert [0] * f(0) == []").status is Status.WRONG


def test_names_of_classes_cannot_steer_a_terminal(judged: Judge) -> None:
    source = "class Box: pass\nBox.__name__ = '\\x1b[2J'\ndef f(x):\n    return Box()"
    verdicts = [judged(source, source="assert f(1) == 1, f(1)"), judged(source, **by_inputs("x"))]
    assert {verdict.status for verdict in verdicts} == {Status.WRONG}
    assert not any("\x1b" in verdict.detail for verdict in verdicts)


@pytest.mark.parametrize("mode", ["split", "in_process"])
def test_code_tests_need_something_to_test(mode: Any) -> None:
    with pytest.raises(ParameterError, match="no tests"):
        CodeTests(source=" \n", entry_point="f", mode=mode)


Prepared = PreparedCode | PreparedInputs


def prepared(**fields: Any) -> Prepared:
    """Make tests of `f` ready whose reference returns 4."""
    made = prepare(
        made_for_f(**fields),
        lambda tests: Measured(
            positions=tuple(range(len(tests.inputs))),
            expected=[4] * len(tests.inputs),
            seconds=[0.01] * len(tests.inputs),
            start_seconds=0.01,
            cpu_seconds=0.1,
        ),
    )
    assert isinstance(made, PreparedCode | PreparedInputs)
    return made


def judge(tests: Prepared, remote: Remote) -> Finding:
    return tests.find("", remote, CHECK_SECONDS)


BY_SOURCE = prepared(source="assert f(2) == 4\nassert f(3) == 9, f(3)")
BY_CHECKS = prepared(checks=("assert abs(f(2)) == 4", "assert [f(3)] == [9], f(3)"))
BY_INPUTS = prepared(**by_inputs("4", atol=1e-6))
BY_ORACLE = prepared(**by_inputs("4", oracle="def accept(a, r, e):\n    return set(r) == {1, 2, 3, 4}"))
LOADED = b'["value",[{"d":[["f",{"h":[0,"function","call"]}]]},[]]]'


@pytest.mark.parametrize("tests", [BY_SOURCE, BY_CHECKS, BY_INPUTS, BY_ORACLE])
@settings(max_examples=150)
@given(data=st.data())
def test_no_replies_pass_or_break_the_judge(
    tests: Prepared, remote: Remotes, any_reply: Any, data: st.DataObject
) -> None:
    first, *rest = data.draw(st.lists(any_reply, min_size=2, max_size=5))
    for start in (first, LOADED):
        finding = judge(tests, remote(start, *rest))
        assert finding.status not in (Status.PASSED, Status.HARNESS_ERROR)
        assert "do not get along" not in finding.detail
        assert not any(finding.checks)


def test_right_replies_pass(remote: Remotes) -> None:
    def answer(*values: int) -> list[bytes]:
        return [LOADED, *(f'["value",{value}]'.encode() for value in values)]

    assert judge(BY_SOURCE, remote(*answer(4, 9))).status is Status.PASSED
    assert judge(BY_CHECKS, remote(*answer(-4, 9))).checks == (True, True)
    finding = judge(BY_INPUTS, remote(LOADED, b'[["value",4],["value",4.0]]'))
    assert (finding.status, finding.checks) == (Status.PASSED, (True, True))


@pytest.mark.parametrize("source", ["if callable(f):\n    assert f(2) == 4", "for n in LIST:\n    f(n)"])
def test_a_program_that_the_tests_pass_by_is_no_fault_of_theirs(remote: Remotes, source: str) -> None:
    reply = b'["value",[{"d":[["f",{"h":[0,"A",""]}],["LIST",{"h":[1,"L","",[]]}]]},[]]]'
    finding = judge(prepared(source=source, mode="split"), remote(reply))
    assert finding.status is Status.UNSUPPORTED_VALUE


def test_tests_that_nobody_could_pass_are_told_from_programs(remote: Remotes) -> None:
    with pytest.raises(TestsFault):
        judge(prepared(source="assert True"), remote(LOADED))


@pytest.mark.parametrize("extra", ["", "import unittest.mock\nunittest.mock.patch('math.pi', 3)"])
@pytest.mark.parametrize("place", ["source", "checks"])
def test_tests_are_read_however_deep_they_are_nested(executor: Executor, place: str, extra: str) -> None:
    def judged(terms: int) -> Verdict:
        text = f"assert f({'1 + ' * terms}0) == {terms}"
        source, checks = (f"{extra}\n{text}", ()) if place == "source" else (extra, (text,))
        tests = CodeTests(source=source, checks=checks, entry_point="f")
        return executor.submit(Program("deep", 0, "def f(x): return x", tests)).result(60)

    assert [judged(terms).status for terms in (90, 400, 2_000)] == [Status.PASSED] * 3
    beyond = judged(20_000)
    assert beyond.status is Status.HARNESS_ERROR
    assert beyond.detail.startswith("the tests are not valid Python")
