"""Nothing stays: of a caller that was killed, of an executor that was closed, of a program that forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_tree import PATIENCE_SECONDS, alive, descendants, family_at, wait_until
from squaring_programs import SQUARE, programs

from codesample.execution import Executor, Level, Program
from codesample.records import Status

CALLER = """
import os, sys, time
from codesample.execution import Executor, Limits, Program
from codesample.records import CodeTests
from codesample.execution import Level
level = Level.parse(sys.argv[1])
executor = Executor(workers=2, limits=Limits(cpu_seconds=300), minimum=Level.NONE, level=level)
print("ready", flush=True)
for n in range(4):
    tests = CodeTests(source="assert f()", entry_point="f")
    executor.submit(Program("t", n, f"n = {n}\\nwhile True: pass", tests))
time.sleep(300)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, of this process and of those that it starts."""
    # tmp_path is shut to others, and programs may be another user's
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def caller_at(temporary: Path) -> Iterator[Callable[[Level], subprocess.Popen[str]]]:
    """Give a function from a level to a process whose two programs will run for ever."""
    started: list[subprocess.Popen[str]] = []

    def start(level: Level) -> subprocess.Popen[str]:
        caller = subprocess.Popen(
            [sys.executable, "-c", CALLER, level.label], stdout=subprocess.PIPE, text=True
        )
        started.append(caller)
        assert caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
        return caller

    yield start
    for caller in started:
        caller.kill()
        caller.wait()
        assert caller.stdout is not None
        caller.stdout.close()


LEVELS_WITH_FOLDERS = [Level.NAMESPACED, Level.CONFINED, Level.NONE]


@pytest.mark.parametrize("level", LEVELS_WITH_FOLDERS, ids=lambda level: level.label)
def test_nothing_stays_when_the_caller_is_killed(
    caller_at: Callable[[Level], subprocess.Popen[str]], temporary: Path, level: Level
) -> None:
    caller = caller_at(level)
    # two workers, two zygotes, two programs
    assert wait_until(lambda: len(descendants(caller.pid)) == 6)
    assert len(list(temporary.iterdir())) == (0 if level is Level.NAMESPACED else 2)
    family = descendants(caller.pid)
    caller.kill()
    assert wait_until(lambda: not any(map(alive, family)))
    assert list(temporary.iterdir()) == []


def test_a_caller_killed_before_any_worker_leaves_nothing(
    caller_at: Callable[[Level], subprocess.Popen[str]], temporary: Path
) -> None:
    caller = caller_at(Level.CONFINED)
    caller.kill()
    assert wait_until(lambda: not descendants(caller.pid))
    assert wait_until(lambda: not list(temporary.iterdir()))


def test_what_a_caller_killed_with_its_workers_leaves_is_removed_by_the_next(
    caller_at: Callable[[Level], subprocess.Popen[str]], temporary: Path
) -> None:
    caller = caller_at(Level.CONFINED)
    assert wait_until(lambda: len(descendants(caller.pid)) == 6)
    with Executor(workers=1, level=Level.CONFINED, cache=False) as executor:
        # of a living process, nothing is taken
        assert executor.submit(programs(1)[0]).result(PATIENCE_SECONDS).passed
        assert len(list(temporary.iterdir())) == 3
    assert len(list(temporary.iterdir())) == 2
    for pid in (caller.pid, *family_at(caller.pid, 1)):
        os.kill(pid, signal.SIGSTOP)
    for pid in (*family_at(caller.pid, 1), caller.pid):
        os.kill(pid, signal.SIGKILL)
    caller.wait()
    assert len(list(temporary.iterdir())) == 2
    (temporary / "codesample-program-mine").write_text("a file of somebody else")
    with Executor(workers=1, level=Level.CONFINED, cache=False) as executor:
        assert executor.submit(programs(1)[0]).result(PATIENCE_SECONDS).passed
    assert [path.name for path in temporary.iterdir()] == ["codesample-program-mine"]


def test_nothing_stays_after_closing(temporary: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    # other tests of this process may keep executors of their own
    others = set(descendants(os.getpid()))
    with Executor(workers=2, level=Level.CONFINED) as executor:
        for program in programs(6):
            executor.submit(program)
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert list(temporary.iterdir()) == []
    assert not [pid for pid in set(descendants(os.getpid())) - others if is_ours(pid)]


def is_ours(pid: int) -> bool:
    try:
        return b"codesample.execution" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.label)
def test_processes_left_by_a_program_are_collected(executor_at, level: Level) -> None:  # type: ignore[no-untyped-def]
    executor = executor_at(level)
    source = """
import os, time
def f(x):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(0.1)
            os._exit(0)
    return x * x
"""
    verdict = executor.submit(Program("t", 0, source, SQUARE)).result(PATIENCE_SECONDS)
    assert verdict.status in ((Status.PASSED,) if level is Level.NONE else (Status.ERROR,))
    after = executor.submit(Program("t", 1, "def f(x):\n    return x * x", SQUARE)).result(PATIENCE_SECONDS)
    assert after.passed
    # scheduler, then worker, zygote and at most one program each
    assert wait_until(lambda: not family_at(os.getpid(), 4))
