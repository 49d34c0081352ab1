"""Every way of testing a program, from tests as they are written to their verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from codesample.errors import ParameterError
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Tests, Verdict

GOOD = "def f(x):\n    return x * x"

Judge = Callable[..., Verdict]


def test_each_check_is_judged_on_its_own(judge: Judge) -> None:
    checks = ("assert f(1) == 1", "assert f(2) == 5", "assert f(0) == f(0)", "assert f('x')")
    verdict = judge(GOOD, source="", checks=checks)
    assert verdict.checks == (True, False, True, False)
    assert verdict.status is Status.WRONG
    assert judge(GOOD, source="", checks=checks[:1]).passed


def test_checks_not_reached_count_as_failed(judge: Judge) -> None:
    dying = "import os\ndef f(x):\n    return x if x < 2 else os._exit(0)"
    verdict = judge(dying, source="", checks=("assert f(1) == 1", "assert f(2)", "assert f(1) == 1"))
    assert (verdict.checks, verdict.status) == ((True, False, False), Status.CRASHED)
    verdict = judge("x = 1", source="", checks=("assert f(1) == 1", "assert f(2)"))
    assert (verdict.checks, verdict.status) == ((False, False), Status.ERROR)


def test_tests_that_never_use_the_program_prove_nothing(judge: Judge) -> None:
    # a right program would pass such tests, and so would any other: they are the harness's fault
    assert judge(GOOD, source="assert True").status is Status.HARNESS_ERROR
    with pytest.raises(ParameterError, match="no tests"):
        CodeTests()


def test_tests_that_swallow_everything_cannot_pass_a_dead_program(judge: Judge) -> None:
    swallowing = "try:\n    f(2)\nexcept BaseException:\n    pass"
    assert judge("import os\ndef f(x):\n    os._exit(0)", source=swallowing).status is Status.CRASHED
    assert judge("def f(x):\n    raise SystemExit", source=swallowing).status is Status.ERROR
    assert judge("def f(x):\n    raise ValueError", source=swallowing).status is Status.PASSED


def test_tests_may_expect_exceptions(judge: Judge) -> None:
    expecting = """
try:
    f(-1)
except ValueError as error:
    assert error.args == ('negative', 3)
else:
    assert False
"""
    assert judge("class Own(ValueError): pass\ndef f(x): raise Own('negative', 3)", source=expecting).passed
    assert judge("def f(x): raise KeyError('negative')", source=expecting).status is Status.ERROR


def test_objects_of_the_program_are_usable_through_handles(judge: Judge) -> None:
    stack = """
class Stack:
    def __init__(self, *items, limit=10):
        self.items, self.limit, self.label = list(items), limit, None
    def push(self, item):
        self.items.append(item)
        return self
    def __len__(self):
        return len(self.items)
    def __getitem__(self, at):
        return self.items[at]
    def __setitem__(self, at, item):
        self.items[at] = item
def total(stack):
    return sum(stack.items)
"""
    tests = """
s = Stack(1, 2, limit=5)
assert s.push(3).push(4).items == [1, 2, 3, 4]
assert len(s) == 4 and s[1] == 2 and list(s) == [1, 2, 3, 4] and 3 in s
assert s.limit == 5 and s.label is None
s.label = "x"
s[0] = 10
assert s.label == "x" and total(s) == 19
assert s == s and s != Stack() and s
"""
    assert judge(stack, CodeTests(source=tests)).status is Status.PASSED


def test_stub_stands_before_the_program_and_is_not_the_program_s(judge: Judge) -> None:
    stub = "def helper(x):\n    return x + 1\n"
    tests = CodeTests(source="assert helper(f(1)) == 2", entry_point="f", stub=stub)
    assert judge("def helper(x):\n    return 2\ndef f(x):\n    return 7", tests).status is Status.WRONG
    assert judge("def f(x):\n    return 1", tests).passed


def test_randomness_starts_the_same_in_programs_and_tests(judge: Judge) -> None:
    source = "import random\ndef f():\n    return random.random(), list({'a', 'b', 'c', 'd'})"
    tests = CodeTests(source="raise AssertionError(repr(f()))", entry_point="f")
    assert judge(source, tests).detail == judge(source + "\n", tests).detail


INPUTS = InputTests(
    inputs=((3,), (4.0,), ([1, 2],)),
    reference="def f(x):\n    return [i * 0.1 for i in x] if isinstance(x, list) else x * 0.1",
    entry_point="f",
)


def test_inputs_are_judged_against_the_reference(judge: Judge) -> None:
    assert judge(
        "def f(x):\n    return [i / 10 for i in x] if isinstance(x, list) else x / 10", INPUTS
    ).passed
    verdict = judge("def f(x):\n    return 0.3", INPUTS)
    assert (verdict.status, "expected 0.4" in verdict.detail) == (Status.WRONG, True)
    verdict = judge("def f(x):\n    return x.missing", INPUTS)
    assert (verdict.status, "with arguments (3,)" in verdict.detail) == (Status.ERROR, True)
    assert judge("def f(x):\n    return object()", INPUTS).status is Status.WRONG
    claiming = "class A:\n    __eq__ = lambda self, other: True\ndef f(x):\n    return A()"
    assert judge(claiming, INPUTS).status is Status.UNSUPPORTED_VALUE


def test_a_program_may_change_its_inputs_without_gain(judge: Judge) -> None:
    tests = InputTests(
        inputs=(([3, 1],), ([2],)), reference="def f(x):\n    return sorted(x)", entry_point="f"
    )
    assert judge("def f(x):\n    x.clear()\n    return x", tests).status is Status.WRONG
    assert judge("def f(x):\n    x.sort()\n    return x", tests).passed


def test_an_oracle_takes_the_place_of_equality(judge: Judge) -> None:
    oracle = "def accept(arguments, result, expected):\n    return result in (expected, -expected)"
    tests = InputTests(inputs=((4,),), reference="def f(x):\n    return 2", entry_point="f", oracle=oracle)
    assert judge("def f(x):\n    return -2", tests).passed
    assert judge("def f(x):\n    return 3", tests).status is Status.WRONG
    assert judge("def f(x):\n    return []", tests).status is Status.WRONG


def test_inputs_beyond_the_reference_are_left_out_and_counted(judge: Judge) -> None:
    reference = "def f(x):\n    return 'y' * x"
    tests = InputTests(inputs=((3,), (1 << 26,)), reference=reference, entry_point="f")
    verdict = judge(reference, tests)
    assert verdict.passed
    assert "1 inputs left out" in verdict.detail


@pytest.mark.parametrize(
    "tests",
    [
        InputTests(inputs=((1,),), reference="def f(x):\n    return x / 0", entry_point="f"),
        InputTests(inputs=((1,),), reference="def g(x):\n    return x", entry_point="f"),
        InputTests(inputs=((1,),), reference="not python", entry_point="f"),
        InputTests(
            inputs=((1,),), reference="def f(x):\n    while True: pass", entry_point="f", time_limit=0.1
        ),
        InputTests(inputs=((1,),), reference="f = abs", entry_point="f", oracle="nothing = 1"),
        CodeTests(source="assert f(", entry_point="f"),
    ],
)
def test_broken_tests_are_the_harness_s_fault_and_said(judge: Judge, tests: Tests) -> None:
    verdict = judge(GOOD, tests)
    assert verdict.status is Status.HARNESS_ERROR
    assert verdict.detail


def test_in_process_tests_see_changes_in_place_and_are_marked(judge: Judge) -> None:
    tests = CodeTests(source="data = [2, 1]\norder(data)\nassert data == [1, 2]", mode="in_process")
    verdict = judge("def order(items):\n    items.sort()", tests)
    assert (verdict.status, verdict.integrity) == (Status.PASSED, "weak")
    assert judge("def order(items):\n    pass", tests).status is Status.WRONG
    assert judge("import os\ndef order(items):\n    os._exit(0)", tests).status is Status.CRASHED
    assert judge("x = 1", tests).status is Status.ERROR


def test_in_process_tests_need_not_be_trusted(judge: Judge, tmp_path: Any) -> None:
    tests = CodeTests(source=f"open({str(tmp_path / 'planted')!r}, 'w')", mode="in_process")
    assert judge(GOOD, tests).status is Status.ERROR
    assert not (tmp_path / "planted").exists()
    assert judge(GOOD, CodeTests(source="assert f(", mode="in_process")).status is Status.ERROR
    checks = ("assert f(2) == 4", "assert f(", "assert f(2) == 5")
    assert judge(GOOD, CodeTests(checks=checks, mode="in_process")).checks == (True, False, False)


ECHO = ScriptTests(cases=(ScriptExample("1 2\n", "3\n"), ScriptExample("5 6\n", "11")))


def test_scripts_are_judged_by_what_they_print(judge: Judge) -> None:
    verdict = judge("print(sum(map(int, input().split())), '')", ECHO)
    assert (verdict.status, verdict.integrity) == (Status.PASSED, "io")
    verdict = judge("if __name__ == '__main__':\n    print(3)", ECHO)
    assert (verdict.status, "expected '11'" in verdict.detail) == (Status.WRONG, True)
    assert judge("import sys\nprint(3)\nsys.exit(1)", ECHO).status is Status.ERROR
    assert judge("print(3)\nraise ValueError('x')", ECHO).detail.endswith("ValueError: x")
    verdict = judge("import os\nos.write(1, b'3\\n')\nos._exit(0)", ECHO)
    assert (verdict.status, verdict.checks) == (Status.WRONG, (True, False))
    assert judge("import os\nos.write(1, b'3\\n')\nos.abort()", ECHO).status is Status.CRASHED
    assert judge("print('x' * 2_000_000)", ECHO).status is Status.OUTPUT_LIMIT
    assert judge("import sys\nprint(3 if '2' in sys.stdin.read() else 11)\nsys.exit()", ECHO).passed


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("print(3)\nexit()\nprint(4)", "3"),
        ("print(3)\nquit(0)", "3"),
        ("import atexit\natexit.register(print, 4)\nprint(3)", "3\n4"),
        ("import atexit, sys\natexit.register(print, 4)\nsys.exit()", "4"),
        ("import sys\nprint(len(sys.argv), len(sys.orig_argv))", "1 2"),
    ],
)
def test_scripts_end_as_an_interpreter_ends_them(judge: Judge, source: str, printed: str) -> None:
    verdict = judge(source, ScriptTests(cases=(ScriptExample("", printed),)))
    assert verdict.passed, verdict
