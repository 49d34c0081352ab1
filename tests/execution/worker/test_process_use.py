"""What is read of a process from outside, and what a program cannot make of it."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import threading
import time

import pytest

from codesample.execution import Executor, Limits, Program
from codesample.execution.worker import process_use
from codesample.execution.worker.process_use import QueueCredit, held_bytes
from codesample.records import CodeTests, Status

MIB = 1 << 20
PROGRAM, OWN = 1, os.getpid()


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, int]]:
    """Nanoseconds in a queue by process and thread, as the next look finds them."""
    found: dict[int, dict[str, int]] = {PROGRAM: {}, OWN: {"1": 5_000_000_000}}
    monkeypatch.setattr(process_use, "_queues", lambda pid: dict(found[pid]))
    return found


def test_waiting_of_one_thread_counts_and_not_the_sum(queues: dict[int, dict[str, int]]) -> None:
    credit = QueueCredit(PROGRAM)
    queues[PROGRAM] = {str(number): 200_000_000 for number in range(50)}
    credit.look(1.0)
    assert credit.seconds == pytest.approx(0.2)
    queues[PROGRAM] = {str(number): 200_000_000 + number * 10_000_000 for number in range(51)}
    credit.look(2.0)
    # thread 50 is new and has waited longest since the last look
    assert credit.seconds == pytest.approx(0.2 + 0.7)


def test_credit_never_exceeds_the_time_that_passed(queues: dict[int, dict[str, int]]) -> None:
    credit = QueueCredit(PROGRAM)
    for second in range(1, 6):
        queues[PROGRAM] = {"1": second * 7_000_000_000}
        queues[OWN] = {"1": second * 9_000_000_000}
        credit.look(second * 0.5)
        assert credit.seconds == pytest.approx(second * 0.5)


def test_what_this_process_waited_before_counts_for_nothing(queues: dict[int, dict[str, int]]) -> None:
    credit = QueueCredit(PROGRAM)
    credit.look(10.0)
    assert credit.seconds == 0.0
    queues[OWN] = {"1": 5_300_000_000}
    credit.look(20.0)
    assert credit.seconds == pytest.approx(0.3)


def test_a_process_that_ended_gets_no_credit() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    credit = QueueCredit(done.pid)
    credit.look(10.0)
    assert credit.seconds == 0.0
    assert held_bytes(done.pid) == 0


def test_used_memory_is_held_and_reserved_is_not() -> None:
    before = held_bytes(os.getpid())
    with mmap.mmap(-1, 256 * MIB) as room:
        assert held_bytes(os.getpid()) - before < 16 * MIB
        room.write(b"x" * (64 * MIB))
        assert 64 * MIB <= held_bytes(os.getpid()) - before < 96 * MIB


def test_a_thread_counts_for_what_the_kernel_keeps_of_it() -> None:
    before, stop = held_bytes(os.getpid()), threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(64)]
    for thread in threads:
        thread.start()
    held = held_bytes(os.getpid())
    stop.set()
    for thread in threads:
        thread.join()
    assert held - before >= 64 * (32 << 10)


DOZING = """
import threading, time
def f():
    start = time.monotonic() + 0.1
    def doze():
        number = 0
        while True:
            number += 1
            time.sleep(max(0.0, start + 0.002 * number - time.monotonic()))
    for _ in range(50):
        threading.Thread(target=doze, daemon=True).start()
    time.sleep(100)
"""


def test_fifty_dozing_threads_do_not_stretch_the_wall_limit() -> None:
    limits = Limits(cpu_seconds=30, wall_seconds=1.0)
    tests = CodeTests(source="f()", entry_point="f")
    began = time.monotonic()
    with Executor(workers=1, limits=limits) as executor:
        verdict = executor.submit(Program("t", 0, DOZING, tests)).result(120)
    # their waiting for one another, added up, had taken it to the hard limit
    assert verdict.status is Status.WALL_TIMEOUT, verdict
    assert verdict.detail.endswith("\nstopped at the limit of 1 wall seconds")
    assert time.monotonic() - began < limits.hard_wall
