"""What program and tests find where they run beside each other: what a fresh Python has, nothing of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codesample.execution.worker.checklist import Finding
from codesample.records import Status

Beside = Callable[..., Finding]

SEEN = """
import sys, types
modules = sorted(sys.modules)
main = sys.modules["__main__"]
names = sorted(globals())
def f():
    return 1
"""


@pytest.mark.parametrize(
    "claim",
    [
        "not [name for name in modules if name.startswith(('codesample', 'ctypes'))]",
        "main is sys.modules['program']",
        "__builtins__ is vars(sys.modules['builtins'])",
        "f.__builtins__ is __builtins__ and (lambda: 0).__builtins__ is __builtins__",
        "f.__code__.co_filename == '<program>' and (lambda: 0).__code__.co_filename == '<tests>'",
        "f.__code__.co_flags == (lambda: 0).__code__.co_flags == eval('lambda: 0').__code__.co_flags",
        "len(sys.argv) == 1 and sys.gettrace() is None and sys.getprofile() is None",
        "not {name + '' for name in modules} & {'line' 'cache', 'unit' 'test', 'trace' 'back', 'threading'}",
    ],
)
def test_a_program_finds_no_more_than_in_a_fresh_python(claim: str, beside: Beside) -> None:
    assert beside(SEEN, f"assert {claim}").status is Status.PASSED


def test_lines_of_the_tests_are_shown_to_tests_that_ask_for_them_alone(beside: Beside) -> None:
    program = "import linecache\ndef f():\n    return linecache.getlines('<tests>')"
    assert beside(program, "assert f() == []").status is Status.PASSED
    assert beside(program, "import inspect\nassert f()[0] == 'import inspect\\n'").status is Status.PASSED


def test_steps_go_on_after_a_check_that_failed(beside: Beside) -> None:
    finding = beside(SEEN, "x = 1", checks=("assert f() == 2", "x = 2", "assert x == f() + 1", "f(1)"))
    assert finding.checks == (False, True, True, False)
    assert finding.status is Status.WRONG


def test_nothing_runs_after_a_source_that_failed(beside: Beside) -> None:
    finding = beside(SEEN, "assert f() == 2", checks=("assert f() == 1",))
    assert (finding.status, finding.checks) == (Status.WRONG, (False,))


def test_parts_that_are_no_python_fail_alone(beside: Beside) -> None:
    finding = beside(SEEN, checks=("assert f() == 1", "assert f(", "assert f() == 1"), trusted=False)
    assert finding.checks == (True, False, True)
    assert (finding.status, "was never closed" in finding.detail) == (Status.ERROR, True)


def test_many_checks_cost_one_process(beside: Beside) -> None:
    finding = beside(SEEN, checks=("assert f() == 1",) * 500)
    assert finding.checks == (True,) * 500
