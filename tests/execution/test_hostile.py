"""No hostile program passes, and none changes anything outside its process."""

from __future__ import annotations

from typing import Any

import pytest

from codesample.execution import Executor, Level, Program
from codesample.records import ScriptExample, ScriptTests, Status, Tests

WAIT_SECONDS = 300
OTHER_LEVELS = [
    level if level is Level.CONFINED else pytest.param(level, marks=pytest.mark.slow) for level in Level
]
HONEST = "def f(x):\n    return x * x\n"


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.label)
def test_verdict_cannot_be_faked(level: Level, faker: Any, fakers: Any, submitted: Any, outside: Any) -> None:
    verdict = submitted(level, *fakers)[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in faker.statuses, verdict
    assert outside.state() == outside.before


@pytest.mark.parametrize("level", OTHER_LEVELS, ids=lambda level: level.label)
def test_verdict_cannot_be_faked_in_other_ways(
    level: Level, other_way: Tests, faker: Any, fakers: Any, submitted: Any, outside: Any
) -> None:
    verdict = submitted(level, fakers[0], other_way)[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status is not Status.HARNESS_ERROR, verdict
    assert outside.state() == outside.before


@pytest.mark.parametrize("level", OTHER_LEVELS, ids=lambda level: level.label)
def test_a_right_answer_does_not_pass_without_a_right_end(
    level: Level, cheat: Any, cheats: Any, submitted: Any, outside: Any
) -> None:
    squares = ScriptTests(cases=(ScriptExample("3\n", "9\n"),))
    verdict = submitted(level, cheats, squares)[cheat.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in cheat.statuses, verdict
    assert verdict.checks == (False,)
    assert outside.state() == outside.before


RIGHT_AT_TIMES = {"abs replaced", "codec patched"}
"""Fakers that really return what some of the checks ask for."""


def test_no_check_is_held_that_was_not_earned(
    other_way: Tests, faker: Any, fakers: Any, submitted: Any
) -> None:
    verdict = submitted(Level.CONFINED, fakers[0], other_way)[faker.name].result(WAIT_SECONDS)
    assert len(verdict.checks) == other_way.check_count
    assert not all(verdict.checks)
    assert not any(verdict.checks) or faker.name in RIGHT_AT_TIMES


def test_no_faker_ends_the_process_that_judges_it(
    fakers: Any, other_ways: list[Tests], worker_pids: Any, executor: Executor
) -> None:
    programs, tests = fakers
    with Executor(workers=2, limits=executor.limits, level=Level.CONFINED) as fresh:
        fresh.submit_calls(HONEST, "f", [(1,)]).result(WAIT_SECONDS)
        before = worker_pids(fresh)
        calls = [fresh.submit_calls(item.source, "f", [(2,), (3,)]) for item in programs]
        verdicts = [
            fresh.submit(Program(item.name, 0, item.source, way))
            for way in (tests, *other_ways)
            for item in programs
        ]
        statuses = {outcome.status for future in calls for outcome in future.result(WAIT_SECONDS)}
        statuses |= {future.result(WAIT_SECONDS).status for future in verdicts}
        assert Status.HARNESS_ERROR not in statuses
        assert worker_pids(fresh) == before


@pytest.mark.parametrize("level", [Level.CONFINED, Level.NAMESPACED], ids=lambda level: level.label)
def test_machine_is_out_of_reach(
    level: Level, attack: Any, attacks: Any, submitted: Any, outside: Any
) -> None:
    verdict = submitted(level, *attacks)[attack.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in attack.statuses, verdict
    assert outside.state() == outside.before


def test_honest_program_passes_the_tests_that_fakers_fail(
    executor: Executor, fakers: Any, other_ways: list[Tests]
) -> None:
    honest = HONEST + "if __name__ == '__main__':\n    print(f(int(input())))\n"
    for tests in (fakers[1], *other_ways):
        verdict = executor.submit(Program("honest", 0, honest, tests)).result(WAIT_SECONDS)
        assert verdict.status is Status.PASSED, verdict
