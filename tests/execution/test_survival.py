"""Processes die or cannot start; no verdict is lost or wrong for it."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from process_tree import PATIENCE_SECONDS, alive, family_at, wait_until
from squaring_programs import SQUARE, programs

from codesample.errors import ExecutionError
from codesample.execution import Executor, Level, Limits, Program, probe_isolation
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.wire import launch as launching
from codesample.execution.worker import spawner as spawning
from codesample.execution.worker.exchange import Exchange
from codesample.execution.worker.script_tests import run_case
from codesample.execution.worker.spawner import HarnessFault, Spawner
from codesample.records import CodeTests, ScriptExample, Status


@pytest.mark.parametrize("depth", ["worker", "zygote", "child"])
def test_killing_processes_at_random_loses_no_verdict(depth: str) -> None:
    levels = {"worker": 1, "zygote": 2, "child": 3}
    with Executor(workers=2, cache=False) as executor:
        futures = [executor.submit(program) for program in programs(150)]
        kills = 0
        while not all(future.done() for future in futures):
            victims = [pid for pid in shot_at(executor, levels[depth]) if alive(pid)]
            # not while they still start, which would look like a sandbox that cannot start
            if victims and kills < 3 and sum(future.done() for future in futures) > 20 * kills:
                # a program may have ended by itself between the look and the shot
                with suppress(ProcessLookupError):
                    os.kill(victims[0], signal.SIGKILL)
                    kills += 1
            time.sleep(0.01)
        verdicts = [future.result(PATIENCE_SECONDS) for future in futures]
    assert kills
    assert [verdict.index for verdict in verdicts] == list(range(150))
    surprises = [
        verdict
        for verdict in verdicts
        if verdict.status is not (Status.WRONG if verdict.index % 2 else Status.PASSED)
    ]
    # a program that was shot is reported as crashed, never as anything a program did
    assert len(surprises) <= kills
    assert {verdict.status for verdict in surprises} <= {Status.CRASHED, Status.HARNESS_ERROR}


def shot_at(executor: Executor, depth: int) -> list[int]:
    """Process ids of this executor's own workers, zygotes or programs; other tests may keep executors."""
    assert executor._scheduler is not None
    workers = [worker.process.pid for worker in list(executor._scheduler._workers.values())]
    return [pid for worker in workers for pid in family_at(worker, depth - 1)]


INTERRUPTED = """
import os, signal, time
from codesample.execution import Executor, Program
from codesample.records import CodeTests
signal.signal(signal.SIGINT, lambda *_: None)
signal.signal(signal.SIGTSTP, lambda *_: None)
slow = "import time\\nend = time.process_time() + 1\\nwhile time.process_time() < end: f(1)"
with Executor(workers=2) as executor:
    source = "def f(x): return x * x"
    executor.submit(Program("t", 2, source, CodeTests(source="assert f(2) == 4"))).result()
    tests = CodeTests(source=slow)
    futures = [executor.submit(Program("t", n, source + f"\\n# {n}", tests)) for n in range(2)]
    time.sleep(0.7)
    for key in (signal.SIGINT, signal.SIGTSTP):
        os.killpg(0, key)
    print(*[future.result().status for future in futures])
"""


def test_keys_that_interrupt_or_stop_the_caller_do_not_reach_its_programs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    assert done.stdout.split() == ["passed", "passed"], done


def test_an_interrupted_worker_is_replaced_and_its_program_tried_again() -> None:
    tests = CodeTests(source="import time\nassert f(2) == 4\ntime.sleep(1)", entry_point="f")
    # other tests of this process may keep executors of their own
    others = set(family_at(os.getpid(), 1))
    with Executor(workers=1) as executor:
        future = executor.submit(Program("t", 0, "def f(x): return x * x", tests))
        assert wait_until(lambda: set(family_at(os.getpid(), 1)) - others)
        (worker,) = set(family_at(os.getpid(), 1)) - others
        # its zygote, and the program: by then it is among the tests
        assert wait_until(lambda: family_at(worker, 2))
        os.kill(worker, signal.SIGINT)
        assert future.result(PATIENCE_SECONDS).passed
        assert not alive(worker)


def threads(pid: int) -> bool:
    """Whether a process has more threads than one."""
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def test_a_reply_that_came_in_time_counts_however_late_it_is_read() -> None:
    source = (
        "import _thread, time\n"
        "def f(x):\n    _thread.start_new_thread(time.sleep, (5,))\n    time.sleep(0.3)\n    return x * x"
    )
    others = set(family_at(os.getpid(), 1))
    with Executor(workers=1, limits=Limits(wall_seconds=1.0)) as executor:
        future = executor.submit(
            Program("t", 0, source, CodeTests(source="assert f(2) == 4", entry_point="f"))
        )
        assert wait_until(lambda: set(family_at(os.getpid(), 1)) - others)
        (worker,) = set(family_at(os.getpid(), 1)) - others
        # its second thread says that the call has begun
        assert wait_until(lambda: any(map(threads, family_at(worker, 2))))
        os.kill(worker, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(worker, signal.SIGCONT)
        assert future.result(PATIENCE_SECONDS).passed


def test_a_sandbox_that_cannot_start_is_an_error_not_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Executor(workers=1)
    monkeypatch.setattr(launching, "_BOOT", "raise SystemExit('no such luck')")
    with executor, pytest.raises(ExecutionError, match="no worker gets to work: no such luck"):
        executor.submit(programs(1)[0]).result(PATIENCE_SECONDS)


def test_workers_that_run_do_the_work_of_one_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # what it finds out stays known; its own process must not be the one that starts
    probe_isolation()
    start, started = launching.start, []

    def start_one_only(*args: Any, **kwargs: Any) -> Any:
        if started:
            raise BlockingIOError(errno.EAGAIN, "too many processes")
        started.append(start(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(launching, "start", start_one_only)
    before = sorted(os.listdir("/proc/self/fd"))
    with Executor(workers=2) as executor:
        futures = [executor.submit(program) for program in programs(40)]
    assert [future.result().passed for future in futures] == [True, False] * 20
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_worker_that_is_given_up_takes_nothing_from_the_next() -> None:
    with Executor(workers=1, cache=False) as executor:
        assert executor.submit(programs(1)[0]).result(PATIENCE_SECONDS).passed
        assert executor._scheduler is not None
        executor._scheduler._workers[0].sock.shutdown(socket.SHUT_RDWR)
        assert executor.submit(programs(1)[0]).result(PATIENCE_SECONDS).passed


def test_workers_that_die_as_they_start_cost_nothing_while_another_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Executor(workers=2, cache=False) as executor:
        early = [executor.submit(program) for program in programs(20)]
        assert all(future.result(PATIENCE_SECONDS) for future in early)
        monkeypatch.setattr(launching, "_BOOT", "raise SystemExit('no such luck')")
        assert executor._scheduler is not None
        executor._scheduler._workers[1].process.kill()
        futures = [executor.submit(program) for program in programs(400)]
        assert [future.result(PATIENCE_SECONDS).passed for future in futures] == [True, False] * 200


def test_no_worker_at_all_is_an_error_not_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise BlockingIOError(errno.EAGAIN, "too many processes")

    executor = Executor(workers=2)
    monkeypatch.setattr(launching, "start", refuse)
    with executor, pytest.raises(ExecutionError, match=r"could not be started: .*too many processes"):
        executor.submit(programs(1)[0]).result(PATIENCE_SECONDS)


@pytest.mark.parametrize("text", ["", "\ud800"])
def test_a_script_that_cannot_be_started_leaves_no_descriptor(text: str) -> None:
    class Broken:
        def fork(self, limits: Limits, streams: tuple[int, ...]) -> None:
            raise HarnessFault("no zygote")

    before = sorted(os.listdir("/proc/self/fd"))

    def start(limits: Limits, **more: Any) -> Exchange:
        return Exchange(Broken(), limits, caller=0, **more)  # type: ignore[arg-type]

    with pytest.raises((HarnessFault, UnicodeEncodeError)):
        run_case(start, Limits(), "", ScriptExample(text, ""), lambda *texts: True)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_zygotes_are_replaced_with_age(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(spawning, "_PROGRAMS_PER_ZYGOTE", 3)
    spawner = Spawner(Confinement(level=Level.NONE, folder=str(tmp_path)))
    zygotes = []
    try:
        for _ in range(7):
            child = spawner.fork(Limits())
            zygotes.append(spawner.pid)
            child.sock.close()
            spawner.reap()
        assert not any(alive(pid) for pid in zygotes[:6] if pid)
    finally:
        spawner.close()
    first, second, third = zygotes[0], zygotes[3], zygotes[6]
    assert zygotes == [first] * 3 + [second] * 3 + [third]
    assert len({first, second, third}) == 3


def test_threads_of_the_caller_do_no_harm() -> None:
    script = f"""
import threading, json
stop = threading.Event()
lock = threading.Lock()
def churn():
    while not stop.is_set():
        with lock:
            json.dumps(list(range(1000)))
threads = [threading.Thread(target=churn, daemon=True) for _ in range(4)]
for thread in threads: thread.start()
from codesample.execution import run, Program, Limits
from codesample.records import CodeTests
tests = CodeTests(source={SQUARE.source!r}, entry_point="f")
verdicts = run([Program("t", n, f"def f(x): return x * x\\nn = {{n}}", tests) for n in range(40)], workers=2)
stop.set()
print(json.dumps(sum(verdict.passed for verdict in verdicts)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100
    )
    assert json.loads(done.stdout) == 40


def test_limits_do_not_leak_from_one_program_to_the_next() -> None:
    greedy = "x = bytearray(1 << 27)\ndef f(x):\n    return x * x"
    modest = "def f(x):\n    return x * x"
    with Executor(workers=1, limits=Limits(memory=64 << 20)) as executor:
        verdicts = [
            executor.submit(Program("t", n, source + f"\nn = {n}", SQUARE)).result(PATIENCE_SECONDS)
            for n, source in enumerate([greedy, modest] * 3)
        ]
    assert [verdict.status for verdict in verdicts] == [Status.MEMORY, Status.PASSED] * 3
