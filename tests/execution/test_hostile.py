"""No hostile program passes, and none changes anything outside its process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest
from hostile_programs import (
    MACHINE_ATTACKS,
    OTHER_WAYS,
    SCRIPT_CHEATS,
    SQUARES,
    TIGHT,
    VERDICT_FAKERS,
    WON,
    Hostile,
)
from machine import skip_unless_granted
from outside import Outside

from codesample.execution import Executor, Level, Program
from codesample.records import ScriptExample, ScriptTests, Status, Tests, Verdict

WAIT_SECONDS = 300
LEVELS = [
    level if level is Level.CONFINED else pytest.param(level, marks=pytest.mark.slow) for level in Level
]
HONEST = "def f(x):\n    return x * x\n"
RIGHT_END = "import os, signal, sys, time\nx = int(input())\nprint(x * x, flush=True)\n"
CHEATS = [replace(cheat, source=RIGHT_END + cheat.source) for cheat in SCRIPT_CHEATS]
"""Scripts that end falsely behind a right answer."""

each_level = pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.label)

Pids = Callable[[Executor], set[int]]


class Arena:
    """An executor that judges one set of hostile programs and nothing else.

    Attributes:
        workers: Ids of its processes that judge, as they were before any hostile program.
    """

    def __init__(self, level: Level, programs: list[Hostile], outside: Outside, worker_pids: Pids) -> None:
        skip_unless_granted(level)
        self.executor = Executor(level=level, minimum=Level.NONE, limits=TIGHT, workers=2)
        self.executor.submit_calls(HONEST, "f", [(1,)]).result(WAIT_SECONDS)
        self.workers = worker_pids(self.executor)
        self._programs = [(item.name, outside.fill_in(item.source)) for item in programs]
        self._verdicts: dict[tuple[Tests, ...], dict[str, Future[Verdict]]] = {}

    def judge(self, *ways: Tests) -> dict[str, Future[Verdict]]:
        """Submit every program, by each of the ways in turn, unless it was; return verdicts by name."""
        if ways not in self._verdicts:
            self._verdicts[ways] = {
                name: self.executor.submit(Program(name, 0, source, ways[number % len(ways)]))
                for number, (name, source) in enumerate(self._programs)
            }
        return self._verdicts[ways]


ArenaOf = Callable[[Level, "list[Hostile]"], Arena]


@pytest.fixture(scope="module")
def arena_of(outside: Outside, worker_pids: Pids) -> Iterator[ArenaOf]:
    """Give a function from a level and a set of hostile programs to their arena."""
    arenas: dict[tuple[Level, int], Arena] = {}

    def arena(level: Level, programs: list[Hostile]) -> Arena:
        key = (level, id(programs))
        if key not in arenas:
            arenas[key] = Arena(level, programs, outside, worker_pids)
        return arenas[key]

    yield arena
    for each in arenas.values():
        each.executor.close()


@each_level
def test_verdict_cannot_be_faked(level: Level, faker: Hostile, arena_of: ArenaOf, outside: Outside) -> None:
    verdict = arena_of(level, VERDICT_FAKERS).judge(SQUARES)[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in faker.statuses, verdict
    assert outside.state() == outside.before


def test_verdict_cannot_be_faked_in_other_ways(
    other_way: Tests, faker: Hostile, arena_of: ArenaOf, outside: Outside
) -> None:
    verdict = arena_of(Level.CONFINED, VERDICT_FAKERS).judge(other_way)[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status is not Status.HARNESS_ERROR, verdict
    assert outside.state() == outside.before


# over the three levels each faker meets each way
@pytest.mark.slow
@pytest.mark.parametrize("turn", range(3))
def test_verdict_cannot_be_faked_in_other_ways_at_other_levels(
    turn: int, faker: Hostile, arena_of: ArenaOf, outside: Outside
) -> None:
    level = (Level.NONE, Level.LIMITED, Level.NAMESPACED)[turn]
    ways = [*OTHER_WAYS.values()]
    verdicts = arena_of(level, VERDICT_FAKERS).judge(*ways[turn:], *ways[:turn])
    verdict = verdicts[faker.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status is not Status.HARNESS_ERROR, verdict
    assert outside.state() == outside.before


@each_level
def test_a_right_answer_does_not_pass_without_a_right_end(
    level: Level, cheat: Hostile, arena_of: ArenaOf, outside: Outside
) -> None:
    squares = ScriptTests(cases=(ScriptExample("3\n", "9\n"),))
    verdict = arena_of(level, CHEATS).judge(squares)[cheat.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in cheat.statuses, verdict
    assert verdict.checks == (False,)
    assert outside.state() == outside.before


RIGHT_AT_TIMES = {"abs replaced", "codec patched"}
"""Fakers that really return what some of the checks ask for."""


def test_no_check_is_held_that_was_not_earned(other_way: Tests, faker: Hostile, arena_of: ArenaOf) -> None:
    verdict = arena_of(Level.CONFINED, VERDICT_FAKERS).judge(other_way)[faker.name].result(WAIT_SECONDS)
    assert len(verdict.checks) == other_way.check_count
    assert not all(verdict.checks)
    assert not any(verdict.checks) or faker.name in RIGHT_AT_TIMES


def test_no_faker_ends_the_process_that_judges_it(arena_of: ArenaOf, worker_pids: Pids) -> None:
    arena = arena_of(Level.CONFINED, VERDICT_FAKERS)
    calls = [arena.executor.submit_calls(item.source, "f", [(2,), (3,)]) for item in VERDICT_FAKERS]
    ways = (SQUARES, *OTHER_WAYS.values())
    statuses = {outcome.status for future in calls for outcome in future.result(WAIT_SECONDS)}
    statuses |= {future.result(WAIT_SECONDS).status for way in ways for future in arena.judge(way).values()}
    assert Status.HARNESS_ERROR not in statuses
    assert worker_pids(arena.executor) == arena.workers


@pytest.mark.parametrize(
    "level",
    [Level.CONFINED, pytest.param(Level.NAMESPACED, marks=pytest.mark.slow)],
    ids=lambda level: level.label,
)
def test_machine_is_out_of_reach(level: Level, attack: Hostile, arena_of: ArenaOf, outside: Outside) -> None:
    verdict = arena_of(level, MACHINE_ATTACKS).judge(WON)[attack.name].result(WAIT_SECONDS)
    assert not verdict.passed
    assert verdict.status in attack.statuses, verdict
    assert outside.state() == outside.before


def test_honest_program_passes_the_tests_that_fakers_fail(executor: Executor) -> None:
    honest = HONEST + "if __name__ == '__main__':\n    print(f(int(input())))\n"
    for tests in (SQUARES, *OTHER_WAYS.values()):
        verdict = executor.submit(Program("honest", 0, honest, tests)).result(WAIT_SECONDS)
        assert verdict.status is Status.PASSED, verdict
