"""Measure how many programs a second the executor judges, beside simpler ways to run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter

from codesample.bench.execution_rivals import rivals
from codesample.bench.machine import PROCESSES, machine
from codesample.bench.measurements import Measurement
from codesample.bench.rounds import Rounds
from codesample.errors import ExecutionError
from codesample.execution.caller.cores import usable_cores
from codesample.execution.caller.executor import Executor
from codesample.execution.isolation.level import Level
from codesample.execution.judge import Program
from codesample.records import CodeTests

__all__ = ["measure_execution", "tiny_programs"]

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
        tests = CodeTests(source="\n".join(f"assert {fact}" for fact in facts), entry_point="f")
        programs.append(Program(f"tiny/{n % len(_TINY)}", n, f"def {head}:\n    {body}\n# {n}\n", tests))
    return programs


def measure_execution(
    programs: Sequence[Program],
    *,
    name: str,
    workers: int | None = None,
    rounds: int = 5,
    level: Level = Level.CONFINED,
) -> list[Measurement]:
    """Judge the same passing programs in each way, `rounds` times in turn.

    Args:
        programs: Programs that pass; distinct, or the executor would run some of them once.
        name: Of the set, for the measurements.
        workers: Programs at once, the same for every way; None means one for each usable core.
        level: Isolation of the executor.

    Returns: for each way programs per second (median, lowest and highest round) and how many times faster
        the executor is (median over rounds).

    Raises:
        ExecutionError: a way did not pass all programs, so that its speed means nothing.
        IsolationError: the machine does not grant `level`.
    """
    count = workers or usable_cores()
    with Executor(workers=count, level=level, minimum=level, cache=False) as executor:

        def confined(batch: Sequence[Program]) -> int:
            futures = [executor.submit(program) for program in batch]
            return sum(future.result().passed for future in futures)

        ways: dict[str, Callable[[Sequence[Program]], int]] = {level.label: confined}
        ways |= {way: partial(_in_threads, judge, workers=count) for way, judge in rivals().items()}
        confined(programs[: 2 * count])
        took = Rounds()
        for number in range(rounds):
            # distinct in every round too
            batch = [replace(item, source=f"{item.source}\n# round {number}\n") for item in programs]
            for way, judge in ways.items():
                start = perf_counter()
                passed = judge(batch)
                took.add(way, perf_counter() - start)
                if passed != len(batch):
                    raise ExecutionError(
                        f"{way} passed {passed} of {len(batch)} programs that all should pass"
                    )
    ratios = took.ratios(level.label)
    common = {"count": len(programs), "workers": count, "rounds": rounds}
    return [
        {"benchmark": "execution", "programs": name, "way": way}
        | common
        | _figures([len(programs) / seconds for seconds in took.seconds[way]], ratios[way])
        | machine(PROCESSES)
        for way in ways
    ]


def _figures(speeds: Sequence[float], ratios: Sequence[float]) -> Measurement:
    return {
        "per_second": round(median(speeds), 1),
        "per_second_lowest": round(min(speeds), 1),
        "per_second_highest": round(max(speeds), 1),
        "executor_times_faster": round(median(ratios), 2),
    }


def _in_threads(judge: Callable[[Program], bool], programs: Sequence[Program], *, workers: int) -> int:
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(judge, programs))
