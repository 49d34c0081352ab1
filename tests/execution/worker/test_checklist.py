"""What results of checks add up to, whatever ends them."""

from __future__ import annotations

import pytest

from codesample.execution.worker.check_limit import ChecksTimedOut, curb_checks, limited_checks
from codesample.execution.worker.checklist import Checklist, Finding, settle
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.faults import TestsFault, Trouble
from codesample.records import Status

WRONG = Trouble(Status.WRONG, "second")
LATER = Trouble(Status.ERROR, "third")
LIMIT = Trouble(Status.CPU_TIMEOUT, "stopped")


def test_the_example_above_the_module_is_true() -> None:
    curbs: list[int] = []
    for deciding, status in ((True, Status.WRONG), (False, Status.CPU_TIMEOUT)):
        checklist = Checklist(5, lambda: curbs.append(1))
        for trouble in (None, WRONG, None):
            checklist.add(trouble)
            if deciding:
                checklist.decide()
        checklist.end(LIMIT)
        found = checklist.finding()
        assert (found.status, found.checks) == (status, (True, False, True, False, False))
    assert curbs == [1]


def test_the_first_failure_says_status_and_detail() -> None:
    checklist = Checklist(3)
    for trouble in (None, WRONG, LATER):
        checklist.add(trouble)
    assert checklist.finding() == Finding(Status.WRONG, "second", (True, False, False))


def test_all_checks_held_is_the_only_way_to_pass() -> None:
    checklist = Checklist(2)
    checklist.add(None)
    with pytest.raises(AssertionError):
        checklist.finding()
    checklist.add(None)
    checklist.decide()
    assert checklist.finding() == Finding(Status.PASSED, "", (True, True))
    checklist.end(LIMIT)
    assert checklist.finding() == Finding(Status.CPU_TIMEOUT, "stopped", (True, True))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ProgramStopped(Status.MEMORY, "out of memory"), Status.MEMORY),
        (ChecksTimedOut(), Status.CPU_TIMEOUT),
        (ValueError("odd"), Status.ERROR),
    ],
)
def test_whatever_ends_the_checks_is_in_the_finding(error: BaseException, status: Status) -> None:
    checklist = Checklist(2)

    def run() -> None:
        checklist.add(None)
        raise error

    found = settle(checklist, run, 5.0)
    assert (found.status, found.checks) == (status, (True, False))


def test_faults_of_the_tests_are_no_finding() -> None:
    def run() -> None:
        raise TestsFault("not Python")

    with pytest.raises(TestsFault):
        settle(Checklist(1), run, 5.0)


def test_checks_that_take_too_long_are_ended() -> None:
    def spin() -> None:
        while True:
            pass

    found = settle(Checklist(1), spin, 0.1)
    assert (found.status, found.checks) == (Status.CPU_TIMEOUT, (False,))


@pytest.mark.parametrize(("first", "then"), [(60.0, 0.1), (0.1, 60.0)])
def test_a_curb_shortens_the_time_of_the_tests_and_never_lengthens_it(first: float, then: float) -> None:
    def spin() -> None:
        curb_checks(then)
        while True:
            pass

    with pytest.raises(ChecksTimedOut), limited_checks(first):
        spin()
