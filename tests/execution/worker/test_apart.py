"""What tests change in the process that runs them is gone with their verdict."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.worker.apart import found_apart
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.spawner import HarnessFault
from codesample.records import CodeTests, ScriptExample, ScriptTests, Status, Verdict

GOOD = "def f(x):\n    return x * x"


@pytest.fixture(scope="module")
def one_worker() -> Any:
    with Executor(workers=1, cache=False) as executor:
        yield executor


Ask = Callable[..., Verdict]


@pytest.fixture
def ask(one_worker: Executor) -> Ask:
    def submit(source: str, tests: str, **more: Any) -> Verdict:
        fields = {"entry_point": "f", "mode": "split", **more}
        program = Program("t", 0, source, CodeTests(source=tests, **fields))
        return one_worker.submit(program).result(120)

    return submit


@pytest.mark.parametrize("mode", ["split", "auto"])
def test_tests_leave_nothing_behind(
    ask: Ask, worker_pids: Any, one_worker: Executor, leaving: str, sensitive: list[str], mode: str
) -> None:
    for tests in sensitive:
        before = ask(GOOD, tests)
        assert before.passed, before
    pids = worker_pids(one_worker)
    assert ask(GOOD, leaving, mode=mode).status is not Status.HARNESS_ERROR
    for tests in sensitive:
        for other in ("auto", "split"):
            after = ask(GOOD, tests, mode=other)
            assert after.passed, after
    assert worker_pids(one_worker) == pids


def test_tests_that_end_their_process_end_no_worker(ask: Ask) -> None:
    verdict = ask(GOOD, "import os\nos._exit(0)")
    assert verdict.status is Status.HARNESS_ERROR
    assert "ended the process" in verdict.detail
    assert ask(GOOD, "assert f(2) == 4").passed


def test_tests_that_block_their_own_limit_are_stopped_from_outside(one_worker: Executor) -> None:
    tests = CodeTests(
        source="import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "f(2)\nwhile True:\n    pass",
        entry_point="f",
        mode="split",
    )
    with Executor(workers=1, limits=one_worker.limits.__class__(check_seconds=0.5)) as executor:
        verdict = executor.submit(Program("t", 0, GOOD, tests)).result(120)
    assert verdict.status is Status.CPU_TIMEOUT


def test_what_tests_print_is_not_kept(ask: Ask) -> None:
    loud = "import sys\nfor _ in range(200):\n    sys.stderr.write('x' * 100_000)\nassert f(2) == 4"
    assert ask(GOOD, loud).passed


def test_a_stub_leaves_nothing_behind(ask: Ask, leaving: str, sensitive: list[str]) -> None:
    stub = leaving.partition("\nassert")[0]
    assert ask(GOOD, "assert f(2) == 4", stub=stub).status is not Status.HARNESS_ERROR
    for tests in sensitive:
        for other in ("auto", "split"):
            after = ask(GOOD, tests, mode=other)
            assert after.passed, after


def test_a_process_killed_while_tests_are_made_ready_is_no_fault_of_theirs() -> None:
    with pytest.raises(HarnessFault, match="made ready") as caught:
        found_apart(lambda: os.kill(os.getpid(), signal.SIGKILL))
    # such a fault is tried again
    assert not isinstance(caught.value, TestsFault)
    assert found_apart(lambda: [os.getppid()]) == [os.getpid()]


def test_a_stub_that_ends_its_process_is_judged_by_nobody(ask: Ask) -> None:
    verdict = ask(GOOD, "assert f(2) == 4", stub="import os\nos._exit(0)")
    assert verdict.status is Status.HARNESS_ERROR
    assert "made ready" in verdict.detail


def test_a_checker_in_one_long_call_into_c_is_stopped_and_judges_scripts_still() -> None:
    tests = ScriptTests(
        cases=(ScriptExample("", "1"),), checker="def accept(text, got, expected): return sum(range(10**15))"
    )
    with Executor(workers=1, limits=Limits(check_seconds=0.3)) as executor:
        verdict = executor.submit(Program("t", 0, "print(1)", tests)).result(120)
    assert (verdict.status, verdict.integrity) == (Status.CPU_TIMEOUT, "io")


def test_checks_have_results_of_their_own_there_too(ask: Ask) -> None:
    checks = ("import math", "math.isclose = None", "assert f(2) == 5", "assert f(2) == 4")
    verdict = ask(GOOD, "", checks=checks)
    assert verdict.checks == (True, True, False, True)
    assert verdict.status is Status.WRONG


def test_a_result_too_slow_to_compute_with_is_a_time_out(one_worker: Executor) -> None:
    tests = CodeTests(source="import sys\nassert sum(f(2)) == 4", entry_point="f", mode="split")
    with Executor(workers=1, limits=one_worker.limits.__class__(check_seconds=0.5)) as executor:
        verdict = executor.submit(Program("t", 0, "def f(x):\n    return range(10**15)", tests)).result(120)
    assert verdict.status is Status.CPU_TIMEOUT, verdict
