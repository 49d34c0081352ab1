"""Whoever calls, and whatever state its process is in, gets the verdicts that anybody gets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling_scripts import PATIENCE_SECONDS, PREAMBLE, RIGHT, said

SIGNALS = {
    "SIGCHLD is ignored": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    "a handler reaps every child": """
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]: pass
    except ChildProcessError: pass
signal.signal(signal.SIGCHLD, reap)""",
    "every signal is blocked": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "every signal is ignored": """
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)""",
}


@pytest.mark.parametrize("setting", SIGNALS)
def test_signals_of_the_caller_change_no_verdict(setting: str) -> None:
    script = f"""
{SIGNALS[setting]}
loops = Program("t", 9, "while True: pass", TESTS)
forks = Program("t", 8, "import os\\ntry: os.fork()\\nexcept OSError: pass\\nf = lambda x: x * x", TESTS)
with Executor(workers=2, limits=Limits(cpu_seconds=0.5)) as executor:
    print(judged(executor), *[executor.submit(each).result(60).status for each in (loops, forks)])
    # also where a worker dies
    executor._scheduler._workers[0].process.kill()
    print(judged(executor) == judged(executor))
"""
    assert said(script) == [f"{RIGHT} cpu_timeout passed", "True"]


@pytest.mark.parametrize("setting", ["SIGCHLD is ignored", "a handler reaps every child"])
def test_a_worker_that_runs_out_of_time_is_known_for_it_whoever_collects_it(setting: str) -> None:
    script = f"""
{SIGNALS[setting]}
tests = CodeTests(source="assert sum(f(2)) == 4", entry_point="f")
slow = Program("t", 0, "def f(x): return range(10**15)", tests)
with Executor(workers=1, limits=Limits(check_seconds=0.2)) as executor:
    print(executor.submit(slow).result(60).status)
"""
    assert said(script) == ["cpu_timeout"]


@pytest.mark.parametrize("closed", [">&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_change_no_verdict(closed: str, tmp_path: Path) -> None:
    script = """
found = judged(Executor(workers=2))
with open(sys.argv[1], "w") as file:
    print(found, file=file)
"""
    out = tmp_path / "found"
    words = 'exec "$0" -c "$1" "$2" ' + closed
    command = ["/bin/sh", "-c", words, sys.executable, PREAMBLE + script, str(out)]
    subprocess.run(command, timeout=PATIENCE_SECONDS, check=True)
    assert out.read_text().strip() == RIGHT


def test_threads_that_submit_and_close_at_once_all_get_an_answer() -> None:
    script = """
def use(executor, found):
    try:
        found.append(executor.submit(program(2)).result(60).passed)
    except ExecutionError as error:
        found.append("closed" in str(error))
    executor.close()
for _ in range(5):
    executor, found = Executor(workers=2, cache=False), []
    threads = [threading.Thread(target=use, args=(executor, found)) for _ in range(12)]
    for thread in threads: thread.start()
    for thread in threads: thread.join(60)
    print(found == [True] * 12)
"""
    assert said(script) == ["True"] * 5


def test_an_executor_may_be_closed_by_what_it_calls_back() -> None:
    script = """
executor = Executor(workers=1)
future = executor.submit(program(0))
future.add_done_callback(lambda _: executor.close())
print(future.result(60).passed)
scheduler = executor._scheduler
executor.close()
print(scheduler._through)
"""
    assert said(script) == ["True", "True"]


def test_a_callback_that_never_returns_keeps_nobody_from_closing() -> None:
    script = """
from codesample.execution.caller import scheduler
scheduler._CLOSE_SECONDS = 0.5
executor = Executor(workers=1)
executor.submit(program(0)).add_done_callback(lambda _: threading.Event().wait())
while not executor._scheduler._workers: time.sleep(0.01)
(worker,) = executor._scheduler._workers.values()
time.sleep(0.5)
executor.close()
print(worker.process.wait(30))
"""
    assert said(script) == [str(-signal.SIGKILL)]


def test_an_executor_that_nobody_holds_closes_itself() -> None:
    script = """
executor = Executor(workers=1)
scheduler = executor._scheduler
future = executor.submit(program(0))
del executor
gc.collect()
# somebody waits for it still
print(future.result(60).passed)
gc.collect()
scheduler._thread.join(30)
print(scheduler._thread.is_alive())
"""
    assert said(script) == ["True", "False"]


@pytest.mark.parametrize("waits", [False, True])
def test_the_interpreter_ends_with_an_executor_open(waits: bool) -> None:
    script = f"""
executor = Executor(workers=2, limits=Limits(cpu_seconds=300))
executor.submit(Program("t", 0, "while True: pass", TESTS)) if {waits} else judged(executor)
while not executor._scheduler._workers: time.sleep(0.01)
print(*(worker.process.pid for worker in executor._scheduler._workers.values()))
"""
    (pids,) = said(script, flags=("-X", "dev"))
    assert not [pid for pid in pids.split() if os.path.exists(f"/proc/{pid}")]


def test_verdicts_without_assert_statements_and_docstrings() -> None:
    assert said("print(judged(Executor(workers=2)))", flags=("-OO",)) == [RIGHT]


def test_verdicts_inside_a_running_event_loop() -> None:
    script = """
async def cell():
    plain = run([program(0), program(1)], workers=1)
    beside = await run_async([program(2), program(3)], workers=1)
    return [verdict.passed for verdict in (*plain, *beside)]
print(asyncio.run(cell()))
"""
    assert said(script) == ["[True, False, True, False]"]


def test_without_a_temporary_folder_only_levels_that_need_one_say_so(tmp_path: Path) -> None:
    script = """
import tempfile
from codesample.execution import Level
Executor(workers=1).close()
tempfile.tempdir = "/nonexistent"
for level in (Level.NAMESPACED, Level.CONFINED):
    try:
        with Executor(workers=1, level=level) as executor: print(judged(executor))
    except IsolationError as error: print(error)
"""
    found, refused = said(script)
    assert found == RIGHT
    assert "no folder can be made for programs" in refused


INTERRUPTED = """
print("judging", flush=True)
programs = [program(n) for n in range(60)] + [Program("t", 99, "while True: pass", TESTS)]
run(programs, workers=2, on_verdict=lambda verdict: None)
"""


def interrupted_twice(*, after: float, gap: float) -> None:
    """Press Ctrl-C twice while `run` judges; it ends as Python ends then, and soon."""
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "judging\n"
            time.sleep(after)
            for pause in (gap, 0.0):
                process.send_signal(signal.SIGINT)
                time.sleep(pause)
            _, said = process.communicate(timeout=PATIENCE_SECONDS / 5)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    # but where the second comes as the interpreter ends already
    assert "KeyboardInterrupt" in said or not said


@pytest.mark.parametrize(("after", "gap"), [(0.0, 0.001), (0.4, 0.004), (0.8, 0.015)])
def test_two_interruptions_end_a_call_that_judges(after: float, gap: float) -> None:
    interrupted_twice(after=after, gap=gap)


@pytest.mark.slow
def test_no_moment_for_two_interruptions_hangs_a_call_that_judges() -> None:
    for number in range(24):
        interrupted_twice(after=number % 20 * 0.05, gap=number * 8 % 21 / 1000)
