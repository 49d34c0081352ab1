"""Run tens of thousands of programs, and see that nothing is lost, left, carried over or grows.

A third of them is hostile, and a tenth has tests that change the interpreter they run in, or tests that
would see it: each verdict must be the one that the same program and tests have alone.

python tests/execution/soak.py --programs 50000 --kill 50
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from helpers.hostile_programs import MACHINE_ATTACKS, SQUARES, VERDICT_FAKERS, WON
from helpers.outside import Outside
from helpers.telling_tests import LEAVING, SENSITIVE

from codesample.execution import Executor, Limits, Program
from codesample.records import CodeTests, Status, Verdict

WINDOW = 200
SAMPLE_EVERY = 500
GROWTH_MIB = 32
"""What an executor may remember, such as its last verdicts, with a margin for the allocator."""
PATIENCE_SECONDS = 300.0
SLOW = {Status.CPU_TIMEOUT, Status.WALL_TIMEOUT, Status.MEMORY, Status.OUTPUT_LIMIT}
"""Endings that take long; such programs are a small share, or the soak would last for days."""
LIMITS = Limits(cpu_seconds=0.3, wall_seconds=0.6, memory=256 << 20, check_seconds=3.0)
SHOTS_APART = 1.5
"""Seconds in which any program ends: one that is hit twice in its two tries is reported as not judged."""


TELLING = [
    CodeTests(source=source, entry_point="f", mode=mode)
    for source in (*LEAVING.values(), *SENSITIVE)
    for mode in ("auto", "split")
]


def alone() -> dict[CodeTests, bool]:
    """Say which of the telling tests an honest program passes where nothing ran before."""
    found = {}
    for tests in TELLING:
        with Executor(limits=LIMITS, workers=1) as executor:
            program = Program("alone", 0, "def f(x):\n    return x * x", tests)
            found[tests] = executor.submit(program).result(PATIENCE_SECONDS).passed
    return found


def make(number: int, draw: random.Random, outside: Outside) -> Program:
    if number % 10 == 0:
        return Program("telling", number, f"def f(x):\n    return x * x\n# {number}", draw.choice(TELLING))
    if number % 3:
        return Program("honest", number, f"def f(x):\n    return x * x\n# {number}", SQUARES)
    kind, tests = draw.choice([(VERDICT_FAKERS, SQUARES), (MACHINE_ATTACKS, WON)])
    quick = [item for item in kind if not item.statuses & SLOW]
    item = draw.choice(kind if draw.random() < 0.01 else quick)
    return Program(item.name, number, f"{outside.fill_in(item.source)}\n# {number}", tests)


def read(path: str) -> bytes:
    """Return a file of /proc; nothing of a process that is gone."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except OSError:
        return found
    return found


def family(pid: int) -> list[int]:
    """Return all processes below one."""
    return [member for child in children(pid) for member in (child, *family(child))]


def is_ours(pid: int) -> bool:
    """Whether this is a worker, a zygote or a program of this soak: their commands name its folder."""
    return tempfile.gettempdir().encode() in read(f"/proc/{pid}/cmdline")


def shoot(draw: random.Random) -> str | None:
    """Kill a worker or a zygote, whichever comes first by chance; return which.

    None are shot as they start: that would look like a sandbox that cannot start.
    """
    pairs = [
        (worker, zygote)
        for worker in children(os.getpid())
        for zygote in children(worker)
        if is_ours(worker) and is_ours(zygote)
    ]
    if not pairs:
        return None
    kind = draw.randrange(2)
    try:
        os.kill(draw.choice(pairs)[kind], signal.SIGKILL)
    except ProcessLookupError:
        return None
    return ("a worker", "a zygote")[kind]


def resident_mib(pid: int) -> int:
    pages = read(f"/proc/{pid}/statm").split()
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") >> 20 if pages else 0


def descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def state() -> dict[str, int]:
    """Say what this process and its family hold now."""
    members = family(os.getpid())
    workers = [pid for pid in members if b"execution.worker" in read(f"/proc/{pid}/cmdline")]
    return {
        "descriptors": descriptors(os.getpid()),
        "own_mib": resident_mib(os.getpid()),
        "worker_mib": max(map(resident_mib, workers), default=0),
        "worker_descriptors": max(map(descriptors, workers), default=0),
        "processes": len(members),
        "zombies": sum(read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] == b"Z" for pid in members),
    }


class Soak:
    """Programs under way, and what came of those before."""

    def __init__(self, seed: int, kill: int) -> None:
        self.alone = alone()
        self.draw, self.aim = random.Random(seed), random.Random(seed)
        self.kill = kill
        self.statuses: Counter[str] = Counter()
        self.shots: Counter[str] = Counter()
        self.surprises: list[str] = []
        self.states: list[dict[str, int]] = []
        self.waiting: deque[tuple[Program, Future[Verdict]]] = deque()

    def run(self, executor: Executor, programs: int, outside: Outside) -> None:
        """Keep the executor busy, killing as asked; the last programs are left in peace."""
        next_shot, not_before = self.kill or programs, 0.0
        for number in range(programs):
            program = make(number, self.draw, outside)
            self.waiting.append((program, executor.submit(program)))
            if len(self.waiting) >= WINDOW:
                self.settle()
            ready = time.monotonic() >= not_before and next_shot <= number < programs - WINDOW
            if ready and (shot := shoot(self.aim)):
                self.shots[shot] += 1
                not_before = time.monotonic() + SHOTS_APART
                next_shot = number + self.aim.randint(self.kill // 2 + 1, self.kill * 3 // 2 + 1)
            if number % SAMPLE_EVERY == SAMPLE_EVERY - 1:
                self.states.append(state())
        while self.waiting:
            self.settle()
        self.states.append(state())

    def settle(self) -> None:
        program, future = self.waiting.popleft()
        verdict = future.result(PATIENCE_SECONDS)
        self.statuses[verdict.status] += 1
        right = self.alone.get(program.tests, program.task_id == "honest")
        if verdict.passed != right or verdict.status is Status.HARNESS_ERROR:
            self.surprises.append(f"{program.task_id} {program.index}: {verdict}")


def soak(programs: int, seed: int, kill: int) -> dict[str, Any]:
    before = descriptors(os.getpid())
    outside = Outside()
    under_way = Soak(seed, kill)
    start = time.monotonic()
    with Executor(limits=LIMITS) as executor:
        under_way.run(executor, programs, outside)
        level = executor.isolation.level.label
    changed = {key: value for key, value in outside.state().items() if value != outside.before[key]}
    outside.close()
    first, last = under_way.states[0], under_way.states[-1]
    return {
        "programs": programs,
        "level": level,
        "seconds": round(time.monotonic() - start, 1),
        "statuses": dict(under_way.statuses),
        "shots": dict(under_way.shots),
        "surprises": under_way.surprises,
        "changed_outside": changed,
        "descriptors_left": descriptors(os.getpid()) - before,
        "processes_left": [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if is_ours(pid)],
        "files_left": os.listdir(tempfile.gettempdir()),
        "zombies": last["zombies"],
        "grown_mib": max(last[name] - first[name] for name in ("own_mib", "worker_mib")),
        "first_state": first,
        "last_state": last,
    }


def complaints(report: dict[str, Any]) -> list[str]:
    """Name what a report should not say."""
    nothing = ("surprises", "changed_outside", "descriptors_left", "processes_left", "files_left", "zombies")
    found = [name for name in nothing if report[name]]
    return found + ["grown_mib"] * (report["grown_mib"] > GROWTH_MIB)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--kill", type=int, default=0, metavar="N", help="kill a worker or a zygote about every N programs"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = folder
        outcome = soak(options.programs, options.seed, options.kill)
    print(json.dumps(outcome, indent=1))
    if found := complaints(outcome):
        sys.exit(f"not as it should be: {', '.join(found)}")
