"""How long a step may take, and that a reference runs for it only when that can matter."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution import Limits
from codesample.execution.worker import apart
from codesample.execution.worker import pace as pacing
from codesample.execution.worker.checklist import Finding, Judged
from codesample.execution.worker.code_tests import prepare_code
from codesample.execution.worker.kinds import prepare
from codesample.execution.worker.pace import Pace, allowed, pace_of
from codesample.records import CodeTests, Status

LEAST = 0.2
ROOMY = Limits(cpu_seconds=30.0)
BUSY = """
import time
def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return True
"""


class Runs:
    """Stands where a judge would: each source takes given CPU seconds for its steps."""

    def __init__(self, **taken: list[float]) -> None:
        self.taken = taken
        self.order: list[str] = []

    def __call__(self, source: str, allowance: Callable[[int], float]) -> Judged:
        self.order.append(source)
        steps: list[float] = []
        for number, seconds in enumerate(self.taken[source]):
            steps.append(min(seconds, allowance(number)))
            if seconds > allowance(number):
                return Judged(Finding(Status.CPU_TIMEOUT), [], 0.0, steps, overran=True)
        return Judged(Finding(Status.PASSED), [], 0.0, steps)


def test_a_step_may_take_a_second_or_ten_times_the_reference() -> None:
    assert [allowed(seconds) for seconds in (0.0, 0.1, 0.2, 3.0)] == [1.0, 1.0, 2.0, 30.0]


def test_most_programs_never_need_the_reference() -> None:
    runs = Runs(quick=[0.9, 0.9, 0.9], reference=[0.1])
    assert Pace("reference").judge("quick", runs).finding.status is Status.PASSED
    assert runs.order == ["quick"]


def test_a_program_that_loops_costs_a_second_and_a_reference_once() -> None:
    pace, runs = Pace("reference"), Runs(loop=[0.0, 99.0], reference=[0.01, 0.01])
    for _ in range(2):
        judged = pace.judge("loop", runs)
        assert judged.finding.status is Status.CPU_TIMEOUT
        assert sum(judged.steps) == 1.0
    assert runs.order == ["loop", "reference", "loop"]


def test_a_step_that_is_slow_for_the_reference_too_has_more_time() -> None:
    pace, runs = Pace("reference"), Runs(slow=[0.0, 4.0, 0.5], loop=[0.0, 99.0], reference=[0.01, 0.5, 0.0])
    assert pace.judge("slow", runs).finding.status is Status.PASSED
    assert runs.order == ["slow", "reference", "slow"]
    assert pace.judge("slow", runs).finding.status is Status.PASSED
    assert runs.order[3:] == ["slow"]
    assert pace.judge("loop", runs).steps == [0.0, 5.0]


def test_a_step_that_the_reference_does_not_reach_is_bounded_by_the_limits_alone() -> None:
    pace, runs = Pace("reference"), Runs(slow=[0.0, 4.0], reference=[0.01])
    assert pace.judge("slow", runs).finding.status is Status.PASSED
    assert pace.seconds(1) == math.inf


@pytest.mark.parametrize(
    "tests",
    [
        CodeTests(source="f()"),
        CodeTests(source="f()", reference="def f(): pass", time_limit=5.0),
    ],
    ids=["no reference", "a stated limit"],
)
def test_without_a_reference_or_with_a_stated_limit_steps_are_not_bounded(tests: CodeTests) -> None:
    runs = Runs(slow=[4.0, 4.0])
    assert pace_of(tests).judge("slow", runs).finding.status is Status.PASSED
    assert runs.order == ["slow"]


@pytest.fixture
def in_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "LEAST_SECONDS", LEAST)


@pytest.mark.parametrize(
    ("source", "checks"),
    [
        ("busy(9)\ndef f(x): return x", (False, False, False)),
        ("def f(x): return busy(9) and x if x == 0 else x", (False, False, False)),
        ("def f(x): return busy(9) and x if x == 2 else x", (True, False, False)),
    ],
    ids=["loading", "source", "a check"],
)
@pytest.mark.usefixtures("in_little_time")
def test_every_step_of_code_is_bounded(start: Any, source: str, checks: tuple[bool, ...]) -> None:
    tests = CodeTests(
        source="assert f(0) == 0",
        checks=("assert f(1) == 1", "assert f(2) == 2", "assert f(3) == 3"),
        entry_point="f",
        reference="def f(x): return x",
    )
    judged = prepare_code(tests, alone=False).judge(BUSY + source, ROOMY, start)
    assert (judged.finding.status, judged.finding.checks) == (Status.CPU_TIMEOUT, checks)
    assert judged.overran
    assert judged.usages[0].cpu_seconds < 2.0


@pytest.mark.usefixtures("in_little_time")
def test_tests_beside_the_program_are_bounded_too(start: Any) -> None:
    tests = CodeTests(source="f(1)", mode="in_process", reference="def f(x): return x")
    prepared = prepare(tests, lambda tests: pytest.fail("has no inputs"))
    judged = prepared.judge(BUSY + "def f(x): busy(9)", ROOMY, start)
    assert judged.finding.status is Status.CPU_TIMEOUT
    assert judged.usages[0].cpu_seconds < 2.0
    assert prepared.judge(BUSY + "def f(x): return x", ROOMY, start).finding.status is Status.PASSED


@pytest.mark.usefixtures("in_little_time")
def test_code_that_is_slow_for_the_reference_too_passes(start: Any) -> None:
    slow = BUSY + "def f(x): return busy(0.3)"
    tests = CodeTests(checks=("assert f(1)", "assert f(2)"), entry_point="f", reference=slow)
    judged = prepare_code(tests, alone=False).judge(slow + " and True", ROOMY, start)
    assert judged.finding == Finding(Status.PASSED, "", (True, True))


@pytest.mark.usefixtures("in_little_time")
def test_each_run_apart_has_its_own_time_and_leaves_what_the_reference_took(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_MARGIN_SECONDS", 0.1)
    slow = BUSY + "def f(x): return busy(0.3)"
    own = BUSY.replace("busy", "own")
    tests = CodeTests(source=own + "assert own(0.25) and f(1)", entry_point="f", reference=slow)
    prepared = prepare_code(tests, alone=True)
    # not enough for three runs together
    limits = Limits(cpu_seconds=30.0, check_seconds=0.5)
    runs: list[Judged] = []
    ours, theirs = socket.socketpair()

    def once(judge: Callable[[], Judged]) -> Judged:
        runs.append(apart.judge_apart(judge, limits, caller=ours.fileno(), checks=0))
        return runs[-1]

    # the zygote that all forks use
    start(limits).close()
    with ours, theirs:
        for _ in range(2):
            judged = prepared.judge(slow + " and True", limits, start, once)
            assert judged.finding.status is Status.PASSED
    assert [run.overran for run in runs] == [True, False, False, False]
