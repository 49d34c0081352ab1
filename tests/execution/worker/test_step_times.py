"""When a step has taken too long, by clocks that a test sets."""

from __future__ import annotations

import math

import pytest

from codesample.execution.worker.step_times import StepTimes
from codesample.records import Status


def test_without_steps_no_time_is_ever_up() -> None:
    assert StepTimes().excess(1e9, 1e9) is None
    assert StepTimes().taken(3.0) == []


def test_each_step_has_its_own_allowance_from_where_it_begins() -> None:
    times = StepTimes()
    times.allowance = lambda step: [0.5, 2.0, math.inf][step]
    times.begin(0.25, 0.0)
    assert times.excess(0.74, 0.0) is None
    times.begin(0.74, 0.0)
    assert times.excess(2.73, 0.0) is None
    assert times.excess(2.75, 0.0) == (
        Status.CPU_TIMEOUT,
        "stopped after 2 CPU seconds in one step of the tests",
    )
    assert times.overran
    times.begin(2.75, 0.0)
    assert times.excess(1e9, 1e9) is None


def test_a_step_that_is_renewed_goes_on_from_there() -> None:
    times = StepTimes()
    times.renew(0.0, 0.0, 1.0)
    times.renew(0.9, 0.0, 1.0)
    assert times.excess(1.8, 0.0) is None
    assert not times.overran
    assert times.excess(1.9, 0.0) is not None


def test_sleeping_is_bounded_by_the_wall_seconds_that_go_with_an_allowance() -> None:
    times = StepTimes()
    times.renew(0.0, 5.0, 1.0)
    assert times.excess(0.0, 14.9) is None
    assert times.excess(0.0, 15.0) == (
        Status.WALL_TIMEOUT,
        "stopped after 10 wall seconds in one step of the tests",
    )
    times.renew(0.0, 15.0, 4.0)
    assert times.excess(0.0, 34.9) is None
    assert times.excess(0.0, 35.0) is not None


def test_the_time_of_each_step_is_known_in_the_end() -> None:
    times = StepTimes()
    for began in (0.1, 0.4, 0.4):
        times.begin(began, 0.0)
    assert times.taken(1.0) == pytest.approx([0.3, 0.0, 0.6])
