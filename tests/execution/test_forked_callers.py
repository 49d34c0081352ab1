"""A process that forks may go on judging in each of the two; neither harms the other or waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling_scripts import PATIENCE_SECONDS, PREAMBLE, call, said
from process_tree import alive

FORKED = """
def in_fork(work):
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        try:
            os.write(theirs, str(work()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours) as file: told = file.read()
    os.waitpid(pid, 0)
    return told
"""


def test_a_fork_of_the_caller_starts_workers_of_its_own() -> None:
    script = f"""
{FORKED}
executor = Executor(workers=2)
before = judged(executor)
def pids():
    return {{each.process.pid for each in executor._scheduler._workers.values()}}
workers = pids()
def work():
    found = [executor.submit(program(n)).result(60).passed for n in range(100, 104)]
    theirs = pids()
    executor.close()
    return found, workers & theirs
print(in_fork(work))
print(pids() == workers)
print([executor.submit(program(n)).result(60).passed for n in range(200, 204)])
executor.close()
"""
    assert said(script) == [
        "([True, False, True, False], set())",
        "True",
        "[True, False, True, False]",
    ]


def test_a_fork_waits_for_nothing_that_only_the_caller_gets() -> None:
    script = f"""
{FORKED}
executor = Executor(workers=1, limits=Limits(check_seconds=30))
slow = executor.submit(program(0, CodeTests(source="import time\\nassert f(2) == 4\\ntime.sleep(1)")))
def work():
    try:
        slow.result(30)
    except ExecutionError as error:
        return error
print(in_fork(work))
# the lock of the other's threads is free here
print(in_fork(lambda: executor.submit(program(2)).result(60).passed))
def leave():
    with executor: pass
    try: executor.submit(program(4))
    except ExecutionError as error: return error
print(in_fork(leave))
print(slow.result(60).passed)
executor.close()
"""
    assert said(script) == [
        "submitted before this process was forked; submit it here once more",
        "True",
        "the executor is closed; make a new one",
        "True",
    ]


def test_forks_while_threads_submit_find_no_lock_taken() -> None:
    script = f"""
{FORKED}
executor = Executor(workers=2, cache=False)
stop = threading.Event()
def churn(first):
    n = first
    while not stop.is_set():
        executor.submit(program(n)).result(60)
        n += 3
threads = [threading.Thread(target=churn, args=[n]) for n in range(3)]
for thread in threads: thread.start()
print([in_fork(lambda: executor.submit(program(2)).result(60).passed) for _ in range(3)])
stop.set()
for thread in threads: thread.join()
executor.close()
"""
    assert said(script) == [str(["True"] * 3)]


def test_workers_end_with_the_caller_though_a_fork_of_it_lives() -> None:
    script = f"""
executor = Executor(workers=2)
judged(executor)
print(*[each.process.pid for each in executor._scheduler._workers.values()], flush=True)
# unseen by Python, so that every descriptor stays open in it
import ctypes
if ctypes.PyDLL(None).fork() == 0:
    os.write(1, b"forked\\n")
    time.sleep({PATIENCE_SECONDS})
    os._exit(0)
time.sleep({PATIENCE_SECONDS})
"""
    command = [sys.executable, "-c", PREAMBLE + script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as caller:
        assert caller.stdout is not None
        workers = list(map(int, caller.stdout.readline().split()))
        assert len(workers) == 2
        assert caller.stdout.readline() == "forked\n"
        caller.kill()
        caller.wait()
        try:
            end = time.monotonic() + PATIENCE_SECONDS / 2
            while any(map(alive, workers)):
                assert time.monotonic() < end, "workers outlive their caller"
                time.sleep(0.02)
        finally:
            os.killpg(caller.pid, signal.SIGKILL)


def test_a_pool_of_forked_processes_judges_by_one_executor() -> None:
    script = """
import multiprocessing
executor = Executor(workers=1)
judged(executor, 2)
def passes(n):
    return executor.submit(program(n)).result(60).passed
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(passes, range(6)))
executor.close()
"""
    assert said(script) == ["[True, False, True, False, True, False]"]


@pytest.mark.slow
def test_mapping_a_data_set_in_two_processes_judges_in_both(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    module = tmp_path / "checked.py"
    module.write_text(
        PREAMBLE
        + """
executor = Executor(workers=1)
judged(executor, 2)
def passes(row):
    return {"passed": executor.submit(program(row["n"])).result(60).passed}
"""
    )
    script = """
import datasets
import checked
datasets.disable_progress_bars()
rows = datasets.Dataset.from_dict({"n": list(range(6))}).map(checked.passes, num_proc=2)
print(list(rows["passed"]))
checked.executor.close()
"""
    done = call(
        script,
        env=os.environ
        | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}", "HF_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[True, False, True, False, True, False]"


def test_an_executor_is_not_pickled() -> None:
    script = """
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    try: pickle.dumps([Executor(workers=1)], protocol)
    except TypeError as error: print(error)
"""
    lines = said(script)
    assert len(lines) == 6
    assert "make one in each process" in lines[0]
    assert len(set(lines)) == 1
