"""The limit on what tests may compute: it ends them, can be started again, and leaves nothing behind."""

from __future__ import annotations

import resource
import signal
import time

import pytest

from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks

LONG = 0.8
"""Seconds beyond the limits here, and twice within what the kernel lets pass before it ends this process."""


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        # reading the clock is the system's time, and the limit is on the user's
        sum(range(20_000))


def swallow_once() -> None:
    try:
        spin(LONG)
    except BaseException:
        spin(LONG)


def test_time_beyond_the_limit_ends_the_body_even_where_it_is_swallowed_once() -> None:
    with pytest.raises(ChecksTimedOut), limited_checks(0.1):
        swallow_once()


def test_steps_may_take_longer_together_but_not_one_of_them() -> None:
    with limited_checks(0.3) as start_again:
        for _ in range(5):
            spin(0.15)
            start_again()
    with pytest.raises(ChecksTimedOut), limited_checks(0.3):
        spin(LONG)


def test_nothing_is_left_behind() -> None:
    limits, handler = resource.getrlimit(resource.RLIMIT_CPU), signal.getsignal(signal.SIGVTALRM)
    for seconds in (0.05, 5.0):
        try:
            with limited_checks(seconds):
                spin(0.2)
        except ChecksTimedOut:
            pass
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
        assert resource.getrlimit(resource.RLIMIT_CPU) == limits
        assert signal.getsignal(signal.SIGVTALRM) == handler
