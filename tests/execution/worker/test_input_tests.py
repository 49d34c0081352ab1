"""Tests by inputs: one result for each input, before and after a failure, and none that was not earned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.wire.messages import checks_from
from codesample.records import InputTests, Status, Verdict

SQUARE = "def f(x):\n    return x * x"

Judge = Callable[..., Verdict]


def squares(count: int, **more: Any) -> InputTests:
    return InputTests(inputs=tuple((x,) for x in range(count)), entry_point="f", reference=SQUARE, **more)


@pytest.mark.parametrize(
    ("source", "status", "marks"),
    [
        (SQUARE, Status.PASSED, "11111"),
        ("def f(x):\n    return x + x", Status.WRONG, "10100"),
        ("def f(x):\n    return 4 // (x - 1) * 0 + x * x", Status.ERROR, "10111"),
        ("def f(x):\n    return object() if x == 1 else x * x", Status.WRONG, "10111"),
        ("def f(x):\n    if x == 1: raise SystemExit\n    return x * x", Status.ERROR, "10111"),
        ("def f(x):\n    if x == 2: raise MemoryError\n    return x * x", Status.MEMORY, "11000"),
        ("import os\ndef f(x):\n    return x * x if x < 3 else os._exit(0)", Status.CRASHED, "11100"),
        ("def f(x):\n    while x == 3: pass\n    return x * x", Status.CPU_TIMEOUT, "11100"),
        ("def g(x):\n    return x", Status.ERROR, "00000"),
        ("f = 4", Status.ERROR, "00000"),
        ("raise ValueError", Status.ERROR, "00000"),
    ],
)  # fmt: skip
def test_every_input_has_a_result(judge: Judge, source: str, status: Status, marks: str) -> None:
    verdict = judge(source, squares(5))
    assert (verdict.status, verdict.checks) == (status, checks_from(marks))


def test_the_first_failure_says_the_detail(judge: Judge) -> None:
    verdict = judge("def f(x):\n    return x + x if x < 3 else x.missing", squares(5))
    assert (verdict.status, verdict.detail) == (Status.WRONG, "got 2, expected 1\nwith arguments (1,)")
    assert verdict.checks == (True, False, True, False, False)


def test_inputs_without_an_expected_answer_hold_for_programs_that_get_as_far(judge: Judge) -> None:
    reference = "def f(x):\n    return 'y' * x"
    # the second is beyond what may be returned
    tests = InputTests(inputs=((1,), (1 << 26,), (2,), (1 << 26,)), entry_point="f", reference=reference)
    assert judge(reference, tests).checks == (True, True, True, True)
    assert judge("def f(x):\n    return 'y'", tests).checks == (True, True, False, True)
    dying = "import os\ndef f(x):\n    return 'y' if x == 1 else os._exit(0)"
    assert judge(dying, tests).checks == (True, False, False, False)
    assert judge("x = 1", tests).checks == (False, False, False, False)


LONG = "x" * 70_000
TEXTS = InputTests(
    inputs=((0,), (1,), (2,), (3,)), entry_point="f", reference="def f(x):\n    return 'x' * 70_000"
)


@pytest.mark.parametrize(
    "ending",
    [
        "while x == 3: pass",
        "if x == 3: os._exit(0)",
        "if x == 3: time.sleep(60)",
        "if x == 3: 1 << (1 << 40)",
    ],
)
def test_after_a_decided_failure_the_rest_is_curbed_and_changes_the_status_no_more(ending: str) -> None:
    source = f"import os, time\ndef f(x):\n    {ending}\n    return 'x' * 70_000 if x != 1 else 'y' * 70_000"
    with Executor(workers=1, limits=Limits(cpu_seconds=30.0)) as executor:
        assert executor.submit(Program("t", 0, TEXTS.reference, TEXTS)).result(60).passed
        start = time.monotonic()
        verdict = executor.submit(Program("t", 1, source, TEXTS)).result(120)
    assert (verdict.status, verdict.checks) == (Status.WRONG, (True, False, True, False))
    assert verdict.cpu_seconds < 2.0
    assert time.monotonic() - start < 25.0


def test_a_failure_in_few_results_is_decided_at_the_end_as_it_always_was(judge: Judge) -> None:
    verdict = judge("def f(x):\n    while x == 3: pass\n    return x + x", squares(5))
    assert (verdict.status, verdict.checks) == (Status.CPU_TIMEOUT, (True, False, True, False, False))


def test_comparing_that_takes_too_long_does_not_hide_what_failed_before(judge: Judge) -> None:
    oracle = (
        "def accept(arguments, result, expected):\n    while result == 5: pass\n    return result == expected"
    )
    source = "def f(x):\n    return 5 if x == 3 else x + x"
    verdict = judge(source, squares(5, oracle=oracle))
    assert (verdict.status, verdict.checks) == (Status.WRONG, (True, False, True, False, False))
    verdict = judge("def f(x):\n    return 5 if x == 3 else x * x", squares(5, oracle=oracle))
    assert (verdict.status, verdict.checks) == (Status.CPU_TIMEOUT, (True, True, True, False, False))
