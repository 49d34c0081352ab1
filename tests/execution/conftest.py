"""Executors, programs and replies that tests of several parts share."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
from hostile_replies import ScriptedExchange, hostile_reply
from hypothesis import strategies as st
from machine import skip_unless_granted
from outside import Outside
from telling_tests import LEAVING, SENSITIVE

from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.caller.isolation_probe import spare_user
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.worker.beside_tests import prepare_beside
from codesample.execution.worker.checklist import Finding
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import Spawner
from codesample.records import CodeTests, Tests, Verdict

LOOSE = Limits(cpu_seconds=2.0, wall_seconds=4.0, memory=256 << 20)


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside]:
    os.environ["CODESAMPLE_SECRET"] = "secret"
    place = Outside()
    yield place
    place.close()
    del os.environ["CODESAMPLE_SECRET"]


@pytest.fixture(scope="session")
def executor_at() -> Iterator[Callable[[Level], Executor]]:
    """Give a function from a level to a running executor at that level, or skip where it is not granted."""
    running: dict[Level, Executor] = {}

    def at(level: Level) -> Executor:
        if level not in running:
            skip_unless_granted(level)
            running[level] = Executor(level=level, minimum=Level.NONE, limits=TIGHT, workers=2)
        return running[level]

    yield at
    for executor in running.values():
        executor.close()


@pytest.fixture(scope="session")
def executor(executor_at: Callable[[Level], Executor]) -> Executor:
    return executor_at(Level.CONFINED)


@pytest.fixture(scope="session")
def worker_pids() -> Callable[[Executor], set[int]]:
    """Give a function from an executor to the process ids of its workers."""

    def pids(executor: Executor) -> set[int]:
        assert executor._scheduler is not None
        return {worker.process.pid for worker in list(executor._scheduler._workers.values())}

    return pids


@pytest.fixture
def sensitive() -> list[str]:
    return SENSITIVE


@pytest.fixture
def judge(executor: Executor) -> Callable[..., Verdict]:
    """Give a function from a program's source, and tests or changes to them, to its verdict."""
    plain = CodeTests(source="assert f(2) == 4\nassert f(3) == 9", entry_point="f")

    def submit(source: str, tests: Tests = plain, /, **changes: Any) -> Verdict:
        program = Program("task/1", 3, source, dataclasses.replace(tests, **changes))
        return executor.submit(program).result(120)

    return submit


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes a `faker`, an `attack`, a `cheat` or `leaving` once for each of them."""
    if "leaving" in metafunc.fixturenames:
        metafunc.parametrize("leaving", LEAVING.values(), ids=list(LEAVING))
    hostile = {"faker": VERDICT_FAKERS, "attack": MACHINE_ATTACKS, "cheat": SCRIPT_CHEATS}
    for kind, programs in hostile.items():
        if kind in metafunc.fixturenames:
            metafunc.parametrize(kind, programs, ids=[item.name for item in programs])


@pytest.fixture(scope="session")
def fakers() -> tuple[list[Hostile], Tests]:
    return VERDICT_FAKERS, SQUARES


@pytest.fixture(params=OTHER_WAYS)
def other_way(request: pytest.FixtureRequest) -> Tests:
    """Tests for squares that are no plain source."""
    return OTHER_WAYS[request.param]


@pytest.fixture(scope="session")
def attacks() -> tuple[list[Hostile], Tests]:
    return MACHINE_ATTACKS, WON


@pytest.fixture(scope="session")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Finding]]:
    """Give a function from a program and the source of tests that run beside it to what is found."""
    folder = tmp_path_factory.mktemp("beside")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    spawner = Spawner(Confinement(level=Level.CONFINED, folder=str(folder), uid=spare_user()))
    ours, theirs = socket.socketpair()

    def start(limits: Limits, **streams: Any) -> Exchange:
        return Exchange(spawner, limits, caller=ours.fileno(), **streams)

    def find(
        program: str, /, source: str = "", *, trusted: bool = True, limits: Limits = LOOSE, **more: Any
    ) -> Finding:
        prepared = prepare_beside(CodeTests(source=source, **more), trusted=trusted)
        assert prepared.integrity == "weak"
        return prepared.judge(program, limits, start).finding

    yield find
    spawner.close()
    ours.close()
    theirs.close()


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[list[bool]]]:
    """Give a function from programs, each with parts of tests, to what ends well in a plain Python."""
    place = tmp_path_factory.mktemp("plain") / "held"
    script = str(Path(__file__).with_name("plain_python.py"))

    def results(pairs: Sequence[tuple[str, tuple[str, ...]]]) -> list[list[bool]]:
        place.write_bytes(b"")
        subprocess.run(
            [sys.executable, "-I", script, str(place)],
            input=json.dumps(pairs).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
        return [json.loads(line) for line in place.read_text().splitlines()]

    return results


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Exchange]]:
    """Give a function that starts a process for a program, for the worker's own code in this process."""
    spawner = Spawner(Confinement(level=Level.NONE, folder=str(tmp_path)))
    caller, other = socket.socketpair()
    with caller, other:
        yield lambda limits, **more: Exchange(spawner, limits, caller=caller.fileno(), **more)
        spawner.close()


@pytest.fixture(scope="session")
def remote() -> Callable[..., Remote]:
    """Give a function from replies to a program that sends just these."""
    return lambda *replies: Remote(ScriptedExchange(*replies))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def any_reply() -> st.SearchStrategy[bytes]:
    """Messages that a hostile program might send: random bytes, random tags, and values made to hurt."""
    return hostile_reply()
