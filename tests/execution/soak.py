"""Run tens of thousands of programs, a third of them hostile, and see that nothing is left or grows.

python tests/execution/soak.py --programs 50000
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path

from conftest import MACHINE_ATTACKS, SQUARES, VERDICT_FAKERS, WON, Outside

from codesample.execution import Executor, Limits, Program
from codesample.records import Status, Verdict

WINDOW = 200
SAMPLE_EVERY = 1_000
SLOW = {Status.CPU_TIMEOUT, Status.WALL_TIMEOUT, Status.MEMORY, Status.OUTPUT_LIMIT}
"""Endings that take long; such programs are a small share, or the soak would last for days."""
LIMITS = Limits(cpu_seconds=0.3, wall_seconds=0.6, memory=256 << 20, check_seconds=3.0)


def make(number: int, draw: random.Random, outside: Outside) -> Program:
    if number % 3:
        return Program("honest", number, f"def f(x):\n    return x * x\n# {number}", SQUARES)
    kind, tests = draw.choice([(VERDICT_FAKERS, SQUARES), (MACHINE_ATTACKS, WON)])
    quick = [item for item in kind if not item.statuses & SLOW]
    item = draw.choice(kind if draw.random() < 0.01 else quick)
    return Program(item.name, number, f"{outside.fill_in(item.source)}\n# {number}", tests)


def family(pid: int) -> list[int]:
    """Worker and zygote processes below this one."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split()):
                found += [child, *family(child)]
    except OSError:
        return found
    return found


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def state_of(executor_pid: int) -> dict[str, object]:
    members = family(executor_pid)
    names = {
        pid: Path(f"/proc/{pid}/cmdline").read_bytes()
        for pid in members
        if os.path.exists(f"/proc/{pid}/cmdline")
    }
    workers = [pid for pid, name in names.items() if b"execution.worker" in name]
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "own_mib": resident(executor_pid) >> 20,
        "worker_mib": max((resident(pid) >> 20 for pid in workers), default=0),
        "worker_descriptors": max((len(os.listdir(f"/proc/{pid}/fd")) for pid in workers), default=0),
        "processes": len(members),
        "zombies": sum(
            Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"
            for pid in names
            if resident(pid) == 0
        ),
    }


def soak(programs: int, seed: int) -> dict[str, object]:
    draw = random.Random(seed)
    before = len(os.listdir("/proc/self/fd"))
    outside = Outside()
    counts: Counter[str] = Counter()
    surprises: list[str] = []
    states: list[dict[str, object]] = []
    waiting: deque[tuple[Program, Future[Verdict]]] = deque()
    start = time.monotonic()

    def settle() -> None:
        program, future = waiting.popleft()
        status = future.result().status
        counts[status] += 1
        if (status is Status.PASSED) != (program.task_id == "honest"):
            surprises.append(f"{program.task_id} {program.index}: {future.result()}")

    with Executor(limits=LIMITS, cache=False) as executor:
        for number in range(programs):
            program = make(number, draw, outside)
            waiting.append((program, executor.submit(program)))
            if len(waiting) >= WINDOW:
                settle()
            if number % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                states.append(state_of(os.getpid()))
        while waiting:
            settle()
        level = executor.isolation.level.label
    changed = {key: value for key, value in outside.state().items() if value != outside.before[key]}
    outside.close()
    return {
        "programs": programs,
        "level": level,
        "seconds": round(time.monotonic() - start, 1),
        "statuses": dict(counts),
        "surprises": surprises,
        "changed_outside": changed,
        "descriptors_left": len(os.listdir("/proc/self/fd")) - before,
        "processes_left": len(family(os.getpid())),
        "first_state": states[:1],
        "last_state": states[-1:],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(soak(options.programs, options.seed), indent=1))
