"""The same hostile programs when an ordinary user, not root, starts the executor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machine import skip_unless_granted

from codesample.execution import Level
from codesample.records import Status, Tests

ROOT = Path(__file__).parents[2]
USER = 54_321
PATIENCE_SECONDS = 300.0
SCRIPT = """
import json, sys
from codesample.execution import Executor, Level, Limits, Program
from codesample.records import CodeTests
job = json.load(sys.stdin)
limits = Limits(cpu_seconds=0.5, wall_seconds=1.0, memory=256 << 20, check_seconds=3.0)
with Executor(level=Level.parse(job["level"]), minimum=Level.NONE, limits=limits, workers=2) as executor:
    futures = [
        executor.submit(Program(name, 0, source, CodeTests(source=tests, entry_point="f")))
        for name, source, tests in job["programs"]
    ]
    verdicts = {future.result().task_id: future.result().status for future in futures}
print(json.dumps({"verdicts": verdicts, "uid": executor.isolation.uid_policy}))
"""


def slow(level: Level) -> Any:
    return pytest.param(level, marks=pytest.mark.slow)


def interpreter() -> str:
    """An interpreter that any user may start, or skip."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        check = [candidate, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(check, user=USER, group=USER, extra_groups=[], cwd="/", env={}, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip("no interpreter that an ordinary user may start")


def as_ordinary_user(script: str, *, needs: Level, given: Any = None, **environment: str) -> Any:
    """Run a script as a user that is not root, or skip; return what it prints, which is JSON.

    Args:
        needs: The level that the script asks for.
        given: What it reads, as JSON.
    """
    if os.geteuid() != 0:
        pytest.skip("started by an ordinary user: the other tests already run as one")
    python = interpreter()
    skip_unless_granted(needs, python=python, user=USER)
    done = subprocess.run(
        [python, "-c", script],
        input=json.dumps(given),
        user=USER,
        group=USER,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def surprises_at(outside: Any) -> Any:
    """Give a function that runs sets of hostile programs and returns the statuses they should not have."""

    def run(level: Level, *sets: tuple[list[Any], Tests]) -> dict[str, str]:
        honest = "def f(x):\n    return x * x"
        programs = [["honest", honest, sets[0][1].source]]
        expected = {"honest": frozenset({Status.PASSED})}
        for items, tests in sets:
            for item in items:
                expected[item.name] = item.statuses
                programs.append([item.name, outside.fill_in(item.source), tests.source])
        job = {"level": level.label, "programs": programs}
        answer = as_ordinary_user(SCRIPT, needs=level, given=job, CODESAMPLE_SECRET="secret")
        assert answer["uid"] == f"the caller's, {USER}"
        verdicts = answer["verdicts"]
        assert verdicts.keys() == expected.keys()
        return {name: status for name, status in verdicts.items() if status not in expected[name]}

    return run


@pytest.mark.parametrize(
    "level",
    [slow(Level.CONFINED), slow(Level.NAMESPACED)],
    ids=lambda level: level.label,
)
def test_nothing_passes_or_escapes(
    level: Level, surprises_at: Any, fakers: Any, attacks: Any, outside: Any
) -> None:
    assert surprises_at(level, fakers, attacks) == {}
    assert outside.state() == outside.before


@pytest.mark.parametrize("level", [slow(Level.NONE), slow(Level.LIMITED)], ids=lambda level: level.label)
def test_verdict_cannot_be_faked_where_files_can_be_read(
    level: Level, surprises_at: Any, fakers: Any, outside: Any
) -> None:
    assert surprises_at(level, fakers) == {}
    assert outside.state() == outside.before


WRAPPED = """
import json, shutil, socket, sys, tempfile
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.isolation import attacks
from codesample.execution.isolation.level import Level
from codesample.execution.limits import Limits
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.spawner import Spawner
with tempfile.TemporaryDirectory() as folder:
    spawner = Spawner(Confinement(level=Level.NAMESPACED, folder=folder, bwrap=shutil.which("bwrap")))
    ours, theirs = socket.socketpair()
    exchange = Exchange(spawner, Limits(), caller=ours.fileno())
    found = Remote(exchange).perform("load", attacks.SOURCE, "program", ["held"], 0)
    exchange.close()
    spawner.close()
print(json.dumps(found["held"]))
"""


def test_bwrap_round_a_zygote_holds_against_all_small_attacks() -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("this machine has no bwrap")
    held = as_ordinary_user(WRAPPED, needs=Level.NAMESPACED, PATH=os.environ["PATH"])
    assert set(held) == set(attack_names())
    assert all(held.values()), held


def attack_names() -> tuple[str, ...]:
    from codesample.execution.isolation import attacks

    return attacks.NAMES


SCRATCH = """
import json
from codesample.execution import Executor, Level, Program
from codesample.records import CodeTests
source = '''
import os, tempfile
def f():
    assert os.listdir() == []
    with tempfile.NamedTemporaryFile(delete=False) as file:
        try:
            while True:
                file.write(bytes(1 << 16))
        except OSError:
            return os.stat(file.name).st_size
'''
with Executor(level=Level.NAMESPACED, workers=1) as executor:
    tests = CodeTests(source="size = f()\\nassert 900_000 < size <= 1 << 20, size", scratch=1 << 20)
    futures = [executor.submit(Program("t", n, source, tests)) for n in range(3)]
    print(json.dumps([future.result().status for future in futures]))
"""


def test_programs_of_an_ordinary_user_get_a_scratch_folder_too() -> None:
    assert as_ordinary_user(SCRATCH, needs=Level.NAMESPACED) == ["passed"] * 3
