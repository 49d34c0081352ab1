"""No hostile program passes, and none changes anything outside its process."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.execution import Level
from codesample.records import Status

WAIT_SECONDS = 300


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.label)
def test_verdict_cannot_be_faked(level: Level, faker: Any, fakers: Any, submitted: Any, outside: Any) -> None:
    verdict = submitted(level, *fakers)[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in faker.statuses, verdict
    assert outside.state() == outside.before


@pytest.mark.parametrize("level", [Level.CONFINED, Level.NAMESPACED], ids=lambda level: level.label)
def test_machine_is_out_of_reach(
    level: Level, attack: Any, attacks: Any, submitted: Any, outside: Any
) -> None:
    verdict = submitted(level, *attacks)[attack.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in attack.statuses, verdict
    assert outside.state() == outside.before


def test_honest_program_passes_the_tests_that_fakers_fail(executor: Any, fakers: Any) -> None:
    from codesample.execution import Program

    verdict = executor.submit(Program("honest", 0, "def f(x):\n    return x * x", fakers[1])).result(
        WAIT_SECONDS
    )
    assert verdict.status is Status.PASSED, verdict
