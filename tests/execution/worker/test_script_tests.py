"""Tests by scripts: one result for each case, in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.wire.messages import checks_from
from codesample.records import ScriptExample, ScriptTests, Status, Verdict

SQUARE = "x = int(input())\nprint(x * x)"
FIVE = ScriptTests(cases=tuple(ScriptExample(f"{x}\n", f"{x * x}\n") for x in range(5)))

Judge = Callable[..., Verdict]


@pytest.mark.parametrize(
    ("source", "status", "marks"),
    [
        (SQUARE, Status.PASSED, "11111"),
        ("x = int(input())\nprint(x + x)", Status.WRONG, "10100"),
        ("x = int(input())\nassert x != 1\nprint(x * x)", Status.ERROR, "10111"),
        ("import sys\nx = int(input())\nprint(x * x)\nsys.exit(int(x == 1))", Status.ERROR, "10111"),
        ("import os\nx = int(input())\nif x == 3: os._exit(0)\nprint(x * x)", Status.WRONG, "11101"),
        ("import os\nx = int(input())\nif x == 3: os.abort()\nprint(x * x)", Status.CRASHED, "11100"),
        ("x = int(input())\nwhile x == 3: pass\nprint(x * x)", Status.CPU_TIMEOUT, "11100"),
        ("x = int(input())\nprint('y' * 2_000_000 if x == 3 else x * x)", Status.OUTPUT_LIMIT, "11100"),
        ("x = int(input())\nif x == 3: y = bytearray(1 << 30)\nprint(x * x)", Status.MEMORY, "11100"),
        ("print(", Status.ERROR, "00000"),
    ],
)  # fmt: skip
def test_every_case_has_a_result(judge: Judge, source: str, status: Status, marks: str) -> None:
    verdict = judge(source, FIVE)
    assert (verdict.status, verdict.checks, verdict.integrity) == (status, checks_from(marks), "io")


def test_the_first_failing_case_says_the_detail(judge: Judge) -> None:
    verdict = judge("x = int(input())\nprint(x + x)", FIVE)
    assert verdict.detail == "printed '2\\n', expected '1\\n'"


def test_each_case_has_the_limits_of_a_program(judge: Judge) -> None:
    # together they take more than one program may
    busy = "import time\nx = int(input())\nwhile time.process_time() < 0.25: pass\nprint(x * x)"
    verdict = judge(busy, FIVE)
    assert verdict.passed, verdict
    assert verdict.cpu_seconds > 1.0


@pytest.mark.parametrize(
    "ending", ["while x == 3: pass", "if x == 3: time.sleep(60)", "if x == 3: os.abort()"]
)
def test_after_a_failure_the_rest_is_curbed_and_changes_the_status_no_more(ending: str) -> None:
    source = f"import os, time\nx = int(input())\n{ending}\nprint(x * x if x != 1 else 7)"
    with Executor(workers=1, limits=Limits(cpu_seconds=30.0)) as executor:
        start = time.monotonic()
        verdict = executor.submit(Program("t", 1, source, FIVE)).result(120)
    assert (verdict.status, verdict.checks) == (Status.WRONG, (True, False, True, False, False))
    assert verdict.cpu_seconds < 2.0
    assert time.monotonic() - start < 25.0


def test_cases_after_a_failure_may_take_what_cases_took_before() -> None:
    # a third of a second each, and together more than the second that a quick program's cases get
    busy = "import time\nx = int(input())\nwhile time.process_time() < 0.35: pass\n"
    source = f"{busy}print(x * x if x else 7)"
    cases = tuple(ScriptExample(f"{x}\n", f"{x * x}\n") for x in range(6))
    with Executor(workers=1) as executor:
        verdict = executor.submit(Program("t", 0, source, ScriptTests(cases=cases))).result(120)
    assert verdict.status is Status.WRONG
    assert verdict.checks == (False, True, True, True, True, True)


def test_as_much_may_be_printed_as_is_expected(judge: Judge) -> None:
    printed = "".join(f"{x}\n" for x in range(400_000))
    tests = ScriptTests(cases=(ScriptExample("400000\n", printed),))
    assert len(printed) > 2 << 20
    source = "print(*range(int(input())), sep='\\n')"
    with Executor(workers=1) as executor:
        assert executor.submit(Program("t", 0, source, tests)).result(120).passed
        longer = f"{source}\nprint('x' * (1 << 20))"
        verdict = executor.submit(Program("t", 0, longer, tests)).result(120)
    assert verdict.status is Status.OUTPUT_LIMIT, verdict


ROOT = "x = float(input())\nprint('root', format(x ** 0.5, '.%df'))"
ROOTS = ScriptTests(cases=(ScriptExample("2\n", "root 1.41421356\n"), ScriptExample("4\n", "root 2\n")))


@pytest.mark.parametrize(
    ("tolerance", "digits", "marks"),
    [
        ({}, 8, "10"),
        ({"atol": 1e-6}, 9, "11"),
        ({"atol": 1e-6}, 6, "11"),
        ({"atol": 1e-6}, 5, "01"),
        ({"rtol": 1e-3}, 3, "11"),
        ({"rtol": 1e-3}, 2, "01"),
    ],
)
def test_a_declared_tolerance_is_granted(
    judge: Judge, tolerance: dict[str, float], digits: int, marks: str
) -> None:
    assert judge(ROOT % digits, ROOTS, **tolerance).checks == checks_from(marks)


EITHER = """
def accept(input, output, expected):
    first, second = map(int, output.split())
    return first * second == int(input) and first * second == int(expected)
"""
FACTORS = ScriptTests(cases=(ScriptExample("12\n", "12"), ScriptExample("35\n", "35")), checker=EITHER)


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        ("x = int(input())\nprint(1, x)", "11"),
        ("x = int(input())\nprint(x)\nprint(1)", "11"),
        ("x = int(input())\nprint(2, x // 2)", "10"),
        ("x = int(input())\nprint('two', x // 2)", "00"),
        ("x = int(input())\nprint(x)", "00"),
        ("x = int(input())\nprint(1, x)\nraise SystemExit(1)", "00"),
    ],
)
def test_a_checker_judges_in_place_of_comparison(judge: Judge, source: str, marks: str) -> None:
    verdict = judge(source, FACTORS)
    assert verdict.checks == checks_from(marks), verdict
    assert verdict.passed is ("0" not in marks)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return []", Status.WRONG),
        ("return 'yes'", Status.PASSED),
        ("raise KeyError(output)", Status.WRONG),
        ("raise SystemExit(0)", Status.WRONG),
        ("return 1 / int(output)", Status.WRONG),
        ("import no_such_module", Status.HARNESS_ERROR),
        ("while True: pass", Status.CPU_TIMEOUT),
        ("return (lambda f: f(f))(lambda f: f(f))", Status.WRONG),
    ],
)
def test_what_befalls_a_checker_accepts_nothing(judge: Judge, body: str, status: Status) -> None:
    checker = f"def accept(input, output, expected):\n    {body}"
    verdict = judge("print(0)", ScriptTests(cases=(ScriptExample("", "0"),), checker=checker))
    assert verdict.status is status, verdict


@pytest.mark.parametrize(
    ("checker", "said"),
    [("x = 1", "KeyError: 'accept'"), ("def accept(", "SyntaxError"), ("import no_such_module", "no_such")],
)
def test_a_checker_that_is_none_is_the_tests_fault(judge: Judge, checker: str, said: str) -> None:
    verdict = judge("print(0)", ScriptTests(cases=(ScriptExample("", "0"),), checker=checker))
    assert verdict.status is Status.HARNESS_ERROR
    assert verdict.detail.startswith(
        ("the checker does not define accept(): ", "the checker is not valid Python: ")
    )
    assert said in verdict.detail


def test_a_checker_is_compiled_without_our_flags(judge: Judge) -> None:
    checker = (
        "def accept(input, output, expected: int):\n    return accept.__annotations__['expected'] is int"
    )
    assert judge("print(0)", ScriptTests(cases=(ScriptExample("", "1"),), checker=checker)).passed


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("raise ValueError('why')", Status.ERROR, "ValueError: why"),
        ("import sys; sys.exit(3)", Status.ERROR, "exit status 3"),
        ("import sys; sys.exit('text')", Status.ERROR, "exit status 1\ntext"),
        ("print(", Status.ERROR, "SyntaxError: '(' was never closed"),
        ("x = bytearray(1 << 40)", Status.MEMORY, "out of memory ("),
        ("import os; os.kill(os.getpid(), 9)", Status.CRASHED, "killed by SIGKILL"),
        ("import sys; sys.stderr.write('x' * 100_000 + '\\nend'); sys.exit(2)", Status.ERROR, "\nend"),
    ],
)
def test_the_detail_says_how_a_script_ended(judge: Judge, ending: str, status: Status, said: str) -> None:
    verdict = judge(ending, ScriptTests(cases=(ScriptExample("", ""),)))
    assert verdict.status is status
    assert said in verdict.detail
    assert len(verdict.detail) <= 1_000


def test_a_traceback_names_the_program_and_its_lines(judge: Judge) -> None:
    verdict = judge("def f():\n    return 1 / 0\nf()", ScriptTests(cases=(ScriptExample("", ""),)))
    assert 'File "<program>", line 2, in f\n    return 1 / 0' in verdict.detail
    assert "codesample" not in verdict.detail
    assert "/proc" not in verdict.detail
