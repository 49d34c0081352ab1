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
