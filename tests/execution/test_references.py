"""Reference solutions pass in split mode, on a busy machine too, and only published faults fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codesample.execution import Limits, Program, run
from codesample.records import CodeTests, Status, Verdict
from codesample.tasks.registry import load_task

DATA = Path(__file__).parents[2].parent / "shared" / "data"

# name, published file, programs
SETS = [
    ("humaneval", "HumanEval.jsonl.gz", 164),
    ("mbpp_sanitized", "sanitized-mbpp.json", 427),
    ("mbpp", "mbpp.jsonl", 974),
    ("humaneval_plus", "HumanEvalPlus.jsonl.gz", 164),
    ("mbpp_plus", "MbppPlus.jsonl.gz", 378),
]


def reference_programs(name: str, file: str) -> list[Program]:
    if not (DATA / file).exists():
        pytest.skip(f"needs the published file {file} in ../shared/data beside the checkout")
    task = load_task(name, data=DATA / file)
    return [
        Program(problem.task_id, 0, task.program(problem, problem.reference or ""), problem.tests)
        for problem in task.all_problems()
    ]


def failures(verdicts: list[Verdict]) -> dict[str, str]:
    return {
        verdict.task_id: f"{verdict.status}: {verdict.detail}" for verdict in verdicts if not verdict.passed
    }


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """Two processes that load both cores of a small machine."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in spinning:
        process.kill()
        process.wait()


def test_humaneval_references_pass() -> None:
    verdicts = run(reference_programs(*SETS[0][:2]))
    assert failures(verdicts) == {}
    assert len(verdicts) == 164
    assert {verdict.integrity for verdict in verdicts} == {"split"}


@pytest.mark.parametrize(
    "every", [pytest.param(3, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.whole)]
)
@pytest.mark.parametrize(("name", "file", "count"), SETS, ids=[row[0] for row in SETS])
def test_references_pass_with_eight_workers_on_busy_cores(
    name: str, file: str, count: int, every: int, busy_cores: None
) -> None:
    verdicts = run(reference_programs(name, file)[::every], workers=8)
    assert failures(verdicts) == {}
    assert len(verdicts) == -(-count // every)


def test_waiting_for_a_core_is_not_counted_against_a_program(busy_cores: None) -> None:
    source = """
import time
def f(x):
    while time.process_time() < 0.5:
        pass
    return x
"""
    tests = CodeTests(source="assert f(1) == 1", entry_point="f")
    limits = Limits(cpu_seconds=1.5, wall_seconds=1.5)
    programs = [Program("t", n, f"{source}\nn = {n}", tests) for n in range(8)]
    verdicts = run(programs, workers=8, limits=limits)
    assert failures(verdicts) == {}
    assert all(verdict.wall_seconds < 1.5 for verdict in verdicts)


@pytest.fixture
def crowded_core() -> Iterator[None]:
    """One core for this process and all it starts, and two others that never leave it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in spinning:
        process.kill()
        process.wait()
    os.sched_setaffinity(0, before)


def test_a_time_out_among_others_is_tried_again_and_both_tries_are_told(crowded_core: None) -> None:
    tests = CodeTests(source="assert f(1) == 1", entry_point="f")
    sources = ["def f(x):\n    while True: pass", "def f(x): return x", "def f(x): return 2"]
    programs = [Program("t", n, source, tests) for n, source in enumerate(sources)]
    verdicts = run(programs, workers=2, limits=Limits(cpu_seconds=0.3))
    assert [(verdict.status, verdict.first_try) for verdict in verdicts] == [
        (Status.CPU_TIMEOUT, Status.CPU_TIMEOUT),
        (Status.PASSED, None),
        (Status.WRONG, None),
    ]


def test_sleeping_is_counted_even_on_busy_cores(busy_cores: None) -> None:
    tests = CodeTests(source="assert f(1) == 1", entry_point="f")
    program = Program("t", 0, "import time\ndef f(x):\n    time.sleep(60)\n    return x", tests)
    (verdict,) = run([program], workers=1, limits=Limits(wall_seconds=0.5))
    assert verdict.status is Status.WALL_TIMEOUT
