"""Tests by inputs: one result for each input, before and after a failure, and none that was not earned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution import Executor, Limits, Program, limits
from codesample.execution.wire.messages import checks_from
from codesample.execution.worker import input_tests, pace
from codesample.execution.worker.checklist import Judged
from codesample.execution.worker.input_tests import prepare_inputs
from codesample.execution.worker.measured import Measured
from codesample.records import InputTests, Status, Verdict

SQUARE = "def f(x):\n    return x * x"

Judge = Callable[..., Verdict]

BUSY = """
import time
def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""


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


IN_PARTS = (("base", 2), ("plus", 3))


@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(0)",
        "raise MemoryError",
        "any(iter(int, 1))",
        "[0] * (1 << 40)",
        "os.abort()",
        "return 'x' * (1 << 30)",
        "sys.setrecursionlimit(1 << 30) or f(x)",
    ],
)
@pytest.mark.parametrize("at", [2, 3])
def test_what_ends_a_program_in_one_part_takes_no_result_of_the_parts_before(
    judge: Judge, ending: str, at: int
) -> None:
    source = f"import os, sys\ndef f(x):\n    if x == {at}: {ending}\n    return x * x"
    verdict = judge(source, squares(5, parts=IN_PARTS))
    assert not verdict.passed
    assert verdict.checks[:2] == (True, True)
    assert not verdict.checks[at]


def test_a_failure_of_the_first_part_stays_one_whatever_ends_the_program(judge: Judge) -> None:
    source = "import os\ndef f(x):\n    return x * x + (x == 1) if x < 3 else os._exit(0)"
    assert judge(source, squares(5, parts=IN_PARTS)).checks[:2] == (True, False)


@pytest.mark.parametrize(
    ("parts", "marks"),
    [
        ((), "10000"),
        ((("base", 2), ("plus", 3)), "11000"),
        ((("base", 1), ("plus", 4)), "10000"),
        ((("base", 1), ("more", 1), ("plus", 3)), "11000"),
    ],
)
def test_inputs_without_an_expected_answer_hold_where_their_part_was_got_through(
    judge: Judge, parts: tuple[tuple[str, int], ...], marks: str
) -> None:
    reference = "def f(x):\n    return 'y' * x"
    inputs = ((1,), (1 << 26,), (2,), (3,), (1 << 26,))
    tests = InputTests(inputs=inputs, entry_point="f", reference=reference, parts=parts)
    dying = "import os\ndef f(x):\n    return 'y' if x == 1 else os._exit(0)"
    assert judge(dying, tests).checks == checks_from(marks)
    assert judge(reference, tests).checks == (True,) * 5


def test_a_first_part_that_the_reference_answers_nowhere_holds_for_whatever_loads(judge: Judge) -> None:
    reference = "def f(x):\n    return 'y' * x"
    tests = InputTests(
        inputs=((1 << 26,), (2,)), entry_point="f", reference=reference, parts=(("base", 1), ("plus", 1))
    )
    assert judge("import os\ndef f(x):\n    os._exit(0)", tests).checks == (True, False)
    assert judge("x = 1", tests).checks == (False, False)


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


@pytest.fixture
def in_little_time(monkeypatch: pytest.MonkeyPatch, start: Any) -> Callable[..., Judged]:
    """Judge on inputs for which the reference took given times; the least time is a fifth of a second."""
    monkeypatch.setattr(pace, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(input_tests, "LEAST_SECONDS", 0.2)

    def judged(source: str, seconds: list[float], limit: float = 30.0) -> Judged:
        count = len(seconds)
        tests = squares(count)
        expected = [x * x for x in range(count)]
        measured = Measured(tuple(range(count)), expected, seconds, 0.01, sum(seconds))
        return prepare_inputs(tests, measured).judge(BUSY + source, Limits(cpu_seconds=limit), start)

    return judged


@pytest.mark.parametrize("at", [0, 1, 50, 199])
def test_an_input_that_loops_costs_its_own_time_and_not_that_of_all(
    in_little_time: Callable[..., Judged], at: int
) -> None:
    judged = in_little_time(f"def f(x):\n    if x == {at}: busy(20)\n    return x * x", [0.001] * 200)
    assert judged.finding.status is Status.CPU_TIMEOUT
    # what was in the part that never came is lost, a third of it all at most
    held = judged.finding.checks.index(False)
    assert 2 * at // 3 - 1 <= held <= at
    assert not any(judged.finding.checks[held:])
    assert judged.finding.detail == "stopped after 0.3 CPU seconds in one step of the tests"
    assert judged.usages[0].cpu_seconds < 1.0


def test_many_inputs_may_take_together_what_none_may_alone(in_little_time: Callable[..., Judged]) -> None:
    judged = in_little_time("def f(x):\n    busy(0.03)\n    return x * x", [0.001] * 40)
    assert judged.finding.status is Status.PASSED
    assert judged.usages[0].cpu_seconds > 1.0


def test_all_inputs_together_are_bounded_by_the_limit(in_little_time: Callable[..., Judged]) -> None:
    judged = in_little_time("def f(x):\n    busy(0.03)\n    return x * x", [0.001] * 40, limit=0.6)
    assert judged.finding.status is Status.CPU_TIMEOUT
    assert judged.finding.detail == "stopped at the limit of 0.6 CPU seconds"


def test_an_input_that_takes_the_reference_long_has_ten_times_that(
    in_little_time: Callable[..., Judged],
) -> None:
    seconds = [0.001, 0.08, 0.001, 0.001]
    judged = in_little_time("def f(x):\n    if x == 1: busy(0.5)\n    return x * x", seconds)
    assert judged.finding.status is Status.PASSED
    for looping, at_most in ((0, 0.9), (1, 1.6), (2, 0.9)):
        source = f"def f(x):\n    if x == {looping}: busy(20)\n    return x * x"
        judged = in_little_time(source, seconds)
        assert judged.finding.checks == (True,) * looping + (False,) * (4 - looping)
        assert judged.usages[0].cpu_seconds < at_most


def test_replies_sent_early_do_not_lengthen_the_time_of_a_loop(in_little_time: Callable[..., Judged]) -> None:
    # a program may answer in place of the sandbox, before or while it loops
    source = """
def f(x):
    if x == 0:
        import sys
        frame = sys._getframe()
        while "operations" not in frame.f_locals:
            frame = frame.f_back
        frame.f_locals["operations"]._send(b'[["value",0]]')
        busy(20)
    return x * x
"""
    judged = in_little_time(source, [0.001] * 200)
    assert judged.finding.status is Status.CPU_TIMEOUT
    assert judged.usages[0].cpu_seconds < 1.0


def test_a_program_that_sleeps_at_an_input_is_stopped_long_before_its_limit(
    in_little_time: Callable[..., Judged], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_MIN_WALL_SECONDS", 0.5)
    judged = in_little_time("def f(x):\n    time.sleep(600)", [0.001] * 3)
    assert judged.finding.status is Status.WALL_TIMEOUT
    assert judged.finding.detail == "stopped after 1.5 wall seconds in one step of the tests"


def test_a_loop_under_a_long_limit_costs_a_second() -> None:
    looping = Program(
        "t", 0, "def f(x):\n    while x == 3: pass\n    return x * x", squares(5, time_limit=20.0)
    )
    with Executor(workers=1) as executor:
        verdict = executor.submit(looping).result(120)
    assert (verdict.status, verdict.checks) == (Status.CPU_TIMEOUT, (True, True, True, False, False))
    assert 1.0 <= verdict.cpu_seconds < 1.5


STATED = InputTests(inputs=((1,), (2,), (3,)), entry_point="f", expected=([1], (4,), 9.0))


@pytest.mark.parametrize(
    ("source", "status", "marks"),
    [
        ("def f(x):\n    return [[1], (4,), 9.0][x - 1]", Status.PASSED, "111"),
        ("def f(x):\n    return [(1,), (4,), 9.0000001][x - 1]", Status.WRONG, "011"),
        ("def f(x):\n    return [[1], (4,)][x - 1]", Status.ERROR, "110"),
        ("def f(x):\n    while x == 2: pass\n    return [1]", Status.CPU_TIMEOUT, "100"),
    ],
)
def test_results_that_are_stated_need_no_reference(
    judge: Judge, source: str, status: Status, marks: str
) -> None:
    verdict = judge(source, STATED)
    assert (verdict.status, verdict.checks) == (status, checks_from(marks))


TOO_LONG = {Status.CPU_TIMEOUT, Status.WALL_TIMEOUT}


@pytest.mark.parametrize(("limit", "statuses"), [(None, TOO_LONG), (8.0, {Status.PASSED})])
def test_each_input_has_the_time_that_the_tests_state(limit: float | None, statuses: set[Status]) -> None:
    slow = f"{BUSY}\ndef f(x):\n    busy(1.5)\n    return x"
    tests = InputTests(inputs=((1,),), entry_point="f", expected=(1,), input_limit=limit, time_limit=10.0)
    # the wall time of the others' executor is for programs that end at once
    with Executor(workers=1) as executor:
        assert executor.submit(Program("t", 0, slow, tests)).result(120).status in statuses
