"""What the executor promises to its callers."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codesample.errors import ExecutionError, ParameterError
from codesample.execution import Executor, Level, Limits, Outcome, Program, run, run_async
from codesample.execution.caller import executor as executor_module
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Status, Tests, Verdict

SQUARE = CodeTests(source="assert f(2) == 4\nassert f(3) == 9", entry_point="f")
DATACLASS = "from dataclasses import *\n@dataclass\nclass P:\n    x: 'int'\ndef f(x): return P(x).x ** 2"
GOOD = "def f(x):\n    return x * x"

Judge = Callable[..., Verdict]


def test_verdict_names_its_candidate_and_what_it_used(judge: Judge) -> None:
    verdict = judge(GOOD)
    assert (verdict.task_id, verdict.index, verdict.status) == ("task/1", 3, Status.PASSED)
    assert verdict.integrity == "split"
    assert 0 < verdict.cpu_seconds < 1
    assert verdict.peak_memory is not None
    assert 1 << 20 < verdict.peak_memory < 1 << 28


@pytest.mark.parametrize(
    ("tests", "form"),
    [
        (SQUARE, "split"),
        (ScriptTests(cases=(ScriptExample("1", "2"),)), "io"),
        (dataclasses.replace(SQUARE, mode="in_process"), "weak"),
    ],
)
def test_a_verdict_without_a_worker_has_the_form_of_its_tests(tests: Tests, form: str) -> None:
    program = Program("task/1", 0, GOOD, tests)
    lost = executor_module._verdict(program, {"status": "cpu_timeout", "detail": "the worker is gone"})
    assert (lost.status, lost.integrity) == (Status.CPU_TIMEOUT, form)


@pytest.mark.parametrize(
    ("source", "status", "detail"),
    [
        ("def f(x):\n    return x + x + 1", Status.WRONG, "AssertionError"),
        ("def f(x):\n    y = 0\n    return x / y", Status.ERROR, "line 3, in f: return x / y"),
        ("def f(x):\n    return", Status.WRONG, "AssertionError"),
        ("def f(x)\n    return", Status.ERROR, "line 1, in <module>: def f(x)"),
        ("def g(x):\n    return", Status.ERROR, "does not define 'f'"),
        ("f = 4", Status.WRONG, "TypeError"),
        ("", Status.ERROR, "does not define 'f'"),
        ("import no_such_module", Status.ERROR, "No module named 'no_such_module'"),
        ("raise RuntimeError('early')", Status.ERROR, "RuntimeError: early"),
        ("def f(x):\n    raise MemoryError", Status.MEMORY, "MemoryError"),
        ("\0", Status.ERROR, "null bytes"),
        ("\ud800", Status.ERROR, "surrogates"),
        ("x = '\N{SNOWMAN}'\n" + GOOD, Status.PASSED, ""),
        (DATACLASS, Status.PASSED, ""),
        ("if __name__ == '__main__':\n    raise SystemExit(1)\n" + GOOD, Status.PASSED, ""),
        ("print('noise')\nimport sys\nsys.stderr.write('noise')\n" + GOOD, Status.PASSED, ""),
    ],
)  # fmt: skip
def test_status_and_detail(judge: Judge, source: str, status: Status, detail: str) -> None:
    verdict = judge(source)
    assert verdict.status is status, verdict
    assert detail in verdict.detail


def test_details_are_short_and_cannot_steer_a_terminal(judge: Judge) -> None:
    for error in ("ValueError", "MemoryError", "SystemExit"):
        verdict = judge(f"def f(x):\n    raise {error}('\\x1b[2J' + 'y' * 1_000_000)")
        assert len(verdict.detail) <= 1_000
        assert "\x1b" not in verdict.detail


def test_modules_of_the_installation_can_be_granted() -> None:
    pytest.importorskip("numpy")
    source = "import numpy as np\ndef f(x):\n    return np.int64(x) * x"
    (without,) = run([Program("t", 0, source, SQUARE)], workers=1)
    assert "No module named 'numpy'" in without.detail
    programs = [Program("t", 0, source, SQUARE), Program("t", 1, "x = bytearray(1 << 30)\nf = abs", SQUARE)]
    granted, greedy = run(programs, workers=1, limits=Limits(imports=("numpy",)))
    assert granted.passed, granted
    assert greedy.status in (Status.MEMORY, Status.WRONG)


def test_tests_may_grant_modules_and_memory_to_their_own_programs() -> None:
    pytest.importorskip("numpy")
    source = "import numpy as np\ndef f(x):\n    return int(np.int64(x) * x)"
    greedy = "x = bytearray(1 << 28)\n" + GOOD
    granting = dataclasses.replace(SQUARE, imports=("numpy",))
    with Executor(workers=1, limits=Limits(memory=128 << 20)) as executor:
        cases = [
            executor.submit(Program("t", n, source, tests)) for n, tests in enumerate([granting, SQUARE])
        ]
        granted, denied = (case.result(60) for case in cases)
        ample = executor.submit(Program("t", 2, greedy, dataclasses.replace(SQUARE, memory=1 << 30)))
        scarce = executor.submit(Program("t", 3, greedy, SQUARE))
        assert ample.result(60).passed
        assert scarce.result(60).status is Status.MEMORY
    assert granted.passed, granted
    assert "No module named 'numpy'" in denied.detail


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        # shared pages that are given back count for no process, and stay
        ("mmap.MAP_SHARED", "Operation not permitted"),
        ("mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS", "Cannot allocate memory"),
    ],
)
def test_memory_that_hides_from_the_watch_is_bounded_by_the_kernel(flags: str, said: str) -> None:
    pytest.importorskip("numpy")
    source = (
        "import mmap\nkept = []\n"
        "def f(x):\n    while True:\n"
        f"        kept.append(mmap.mmap(-1, 64 << 20, {flags}))\n"
        "        kept[-1][: 1 << 20] = bytes(1 << 20)\n"
        "        kept[-1].madvise(mmap.MADV_DONTNEED)"
    )
    granting = dataclasses.replace(SQUARE, imports=("numpy",), memory=256 << 20)
    with Executor(workers=1) as executor:
        verdict = executor.submit(Program("t", 0, source, granting)).result(120)
    assert verdict.status is Status.ERROR
    assert said in verdict.detail


def test_what_tests_print_is_kept_by_nobody(executor: Executor) -> None:
    source = (
        "import os, sys\nassert f(2) == 4\n"
        "for _ in range(64):\n    os.write(2, bytes(1 << 20))\n    sys.stderr.write('x' * 1000)\n"
        "sys.stderr.flush()\n"
        "logs = [os.stat(f'/proc/self/fd/{number}').st_size for number in range(64)\n"
        "        if os.path.exists(f'/proc/self/fd/{number}')]\n"
        "assert max(logs) < 1 << 16, logs"
    )
    tests = CodeTests(source=source, entry_point="f")
    verdict = executor.submit(Program("t", 0, GOOD, tests)).result(60)
    assert verdict.passed, verdict


def test_equal_programs_run_once_and_keep_their_own_names(executor: Executor) -> None:
    source = "import time\ndef f(x):\n    return (time.time_ns(), x)"
    tests = CodeTests(source="raise AssertionError(repr(f(1)))", entry_point="f")
    futures = [executor.submit(Program(f"task/{n}", n, source, tests)) for n in range(4)]
    verdicts = [future.result(60) for future in futures]
    assert len({verdict.detail for verdict in verdicts}) == 1
    assert [verdict.index for verdict in verdicts] == [0, 1, 2, 3]
    again = executor.submit(Program("late", 9, source, tests)).result(60)
    assert (again.detail, again.task_id) == (verdicts[0].detail, "late")


def test_without_cache_programs_run_again(executor_at: Any) -> None:
    source = "import time\ndef f(x):\n    return time.time_ns()"
    tests = CodeTests(source="raise AssertionError(repr(f(1)))", entry_point="f")
    with Executor(workers=1, cache=False, level=Level.NONE, minimum=Level.NONE) as executor:
        first = executor.submit(Program("a", 0, source, tests)).result(60)
        second = executor.submit(Program("a", 0, source, tests)).result(60)
    assert first.detail != second.detail


def test_only_so_many_verdicts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "_VERDICTS_KEPT", 2)
    monkeypatch.setattr(executor_module, "_TESTS_KEPT", 2)

    def told(number: int) -> str:
        source = f"import time\ndef f(x):\n    return (time.time_ns(), {number})"
        tests = CodeTests(source="raise AssertionError(repr(f(1)))", entry_point="f")
        return executor.submit(Program("t", number, source, tests)).result(60).detail

    with Executor(workers=1) as executor:
        first = [told(number) for number in range(3)]
        assert told(2) == first[2]
        assert told(1) == first[1]
        assert told(0) != first[0]
        assert told(2) == first[2]
        assert len(executor._tests) == 2


def test_what_calls_returned_is_not_kept(executor: Executor) -> None:
    source = "import time\ndef f():\n    return time.time_ns()"
    first, second = (executor.submit_calls(source, "f", [()]).result(60)[0].value for _ in range(2))
    assert first < second


def test_time_that_the_tests_take_is_not_the_program_s() -> None:
    slow = CodeTests(
        source="import time\nassert f(2) == 4\ntime.sleep(0.8)\nassert f(3) == 9", entry_point="f"
    )
    sleeper = "import time\ndef f(x):\n    time.sleep(1)\n    return x * x"
    with Executor(workers=1, limits=Limits(wall_seconds=0.4)) as executor:
        patient = executor.submit(Program("t", 0, GOOD, slow)).result(60)
        late = executor.submit(Program("t", 1, sleeper, slow)).result(60)
    assert patient.passed, patient
    assert patient.wall_seconds is not None
    assert patient.wall_seconds < 0.4
    assert late.status is Status.WALL_TIMEOUT


def test_calls_return_plain_data_or_why_not(executor: Executor) -> None:
    source = """
import os
def f(x):
    if x == 1: return {"a": (1, {2})}
    if x == 2: raise ValueError("two")
    if x == 3: os._exit(0)
    if x == 4: return object()
    if x == 5: raise SystemExit
    if x == 6: return [object()]
    return x
"""
    outcomes = executor.submit_calls(source, "f", [(n,) for n in range(8)]).result(60)
    assert [outcome.status for outcome in outcomes] == [
        Status.PASSED, Status.PASSED, Status.ERROR, Status.CRASHED,
        Status.UNSUPPORTED_VALUE, Status.ERROR, Status.UNSUPPORTED_VALUE, Status.PASSED,
    ]  # fmt: skip
    assert outcomes[1] == Outcome(Status.PASSED, {"a": (1, {2})})
    assert "ValueError: two" in outcomes[2].detail
    assert outcomes[7].value == 7


def test_calls_that_always_die_stop_after_a_few_processes(executor: Executor) -> None:
    outcomes = executor.submit_calls(
        "import os\ndef f(x): os._exit(0)", "f", [(n,) for n in range(20)]
    ).result(60)
    assert {outcome.status for outcome in outcomes} == {Status.CRASHED}
    assert len(outcomes) == 20


def test_calls_of_programs_that_do_not_load(executor: Executor) -> None:
    for source in ("def f(", "g = 1", "import os; os._exit(0)"):
        outcomes = executor.submit_calls(source, "f", [(1,), (2,)]).result(60)
        assert len(outcomes) == 2
        assert not {Status.PASSED, Status.HARNESS_ERROR} & {outcome.status for outcome in outcomes}
    assert executor.submit_calls(GOOD, "f", []).result(60) == []


def test_arguments_that_are_not_plain_data_are_refused(executor: Executor) -> None:
    with pytest.raises(ParameterError, match="not plain data"):
        executor.submit_calls(GOOD, "f", [(object(),)])
    with pytest.raises(ParameterError, match="not plain data"):
        executor.submit(
            Program("a", 0, GOOD, InputTests(inputs=((object(),),), reference=GOOD, entry_point="f"))
        )


def test_run_keeps_the_order_and_reports_as_it_goes() -> None:
    programs = [Program("t", n, f"def f(x):\n    return x * x + {n}", SQUARE) for n in range(6)]
    seen: list[int] = []
    verdicts = run(programs, workers=2, on_verdict=lambda verdict: seen.append(verdict.index))
    assert [verdict.index for verdict in verdicts] == list(range(6))
    assert sorted(seen) == list(range(6))
    assert [verdict.passed for verdict in verdicts] == [True] + [False] * 5
    assert run([]) == []


def test_run_reports_a_verdict_while_programs_are_still_being_made() -> None:
    seen = threading.Event()

    def made() -> Iterator[Program]:
        yield Program("t", 0, GOOD, SQUARE)
        assert seen.wait(60)

    assert len(run(made(), workers=1, on_verdict=lambda verdict: seen.set())) == 1


def test_run_async_leaves_the_event_loop_free() -> None:
    async def both() -> tuple[list[Verdict], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        beside = asyncio.create_task(tick())
        verdicts = await run_async([Program("t", 0, GOOD, SQUARE)], workers=1)
        beside.cancel()
        return verdicts, ticks

    verdicts, ticks = asyncio.run(both())
    assert verdicts[0].passed
    assert ticks > 1


def test_closed_executor_refuses_and_fails_what_waits() -> None:
    executor = Executor(workers=1, limits=Limits(cpu_seconds=30))
    future = executor.submit(Program("t", 0, "while True: pass", SQUARE))
    executor.close()
    executor.close()
    with pytest.raises(ExecutionError, match="closed"):
        future.result(10)
    with pytest.raises(ExecutionError, match="closed"):
        executor.submit(Program("t", 0, GOOD, SQUARE))


def test_leaving_the_block_waits_for_verdicts() -> None:
    with Executor(workers=1) as executor:
        futures = [executor.submit(Program("t", n, f"{GOOD}\nn = {n}", SQUARE)) for n in range(5)]
    assert all(future.done() and future.result().passed for future in futures)


def test_a_cancelled_program_disturbs_nobody(executor: Executor) -> None:
    twins = [executor.submit(Program("t", n, GOOD + "\n# twin", SQUARE)) for n in range(2)]
    twins[0].cancel()
    assert twins[1].result(60).passed


@pytest.mark.parametrize(
    "limits",
    [{"cpu_seconds": 0}, {"memory": -1}, {"wall_seconds": 0.0}, {"result_bytes": 0}],
)
def test_senseless_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="above 0"):
        Limits(**limits)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="at least 1"):
        Executor(workers=0)


def test_a_scratch_folder_holds_something_or_is_none() -> None:
    assert Limits(scratch=0).scratch == 0
    with pytest.raises(ParameterError, match="scratch = -1: expected a number of bytes, 0 for none"):
        Limits(scratch=-1)


def test_a_verdict_has_a_result_for_each_check_unless_nothing_is_known() -> None:
    program = Program(
        "t", 0, GOOD, CodeTests(checks=("assert f(1) == 1", "assert f(2) == 4"), entry_point="f")
    )
    # a worker that was ended by the kernel says nothing of checks
    ended = executor_module._verdict(program, {"status": "cpu_timeout", "detail": "the tests did not finish"})
    assert (ended.status, ended.checks) == (Status.CPU_TIMEOUT, (False, False))
    failed = executor_module._verdict(program, {"fault": "the worker died"})
    assert (failed.status, failed.checks) == (Status.HARNESS_ERROR, ())


def test_importing_execution_imports_no_torch() -> None:
    check = "import sys, codesample.execution; print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_an_executor_says_in_a_line_what_it_holds() -> None:
    with Executor(workers=2) as executor:
        level = executor.isolation.level.label
        assert repr(executor) == f"Executor(2 workers, {level}: 0 programs under way)"
        waiting = executor.submit(Program("t", 0, "import time\ntime.sleep(0.3)\nf = abs", SQUARE))
        assert repr(executor) == f"Executor(2 workers, {level}: 1 program under way)"
        waiting.result(60)
    assert repr(executor) == f"Executor(2 workers, {level}: closed)"
