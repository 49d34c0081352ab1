"""A reranker that ends the process, hangs it or writes where results go costs nothing but its own scores."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from codesample.cli import main; main()"]
SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
RERANKERS = """
import atexit, ctypes, os, signal, subprocess, sys, threading, time
from codesample import reranker

@reranker
def fine(view, candidates, ctx):
    return [float("x + 1" in each.completion) for each in candidates]

@reranker
def faults(view, candidates, ctx):
    ctypes.string_at(0)

@reranker
def killed(view, candidates, ctx):
    os.kill(os.getpid(), signal.SIGKILL)

@reranker
def leaves(view, candidates, ctx):
    ctypes.CDLL(None)._exit(0)

@reranker
def exits(view, candidates, ctx):
    os._exit(0)

@reranker
def raises(view, candidates, ctx):
    raise ValueError("no")

@reranker
def waits(view, candidates, ctx):
    threading.Thread(target=threading.Event().wait).start()
    return [0.0] * len(candidates)

@reranker
def dies_late(view, candidates, ctx):
    atexit.register(lambda: os.kill(os.getpid(), signal.SIGALRM))
    return [0.0] * len(candidates)

@reranker
def exits_late(view, candidates, ctx):
    atexit.register(lambda: os._exit(3))
    return [0.0] * len(candidates)

@reranker
def holds(view, candidates, ctx):
    open("holds", "w").close()
    return [float(sum(range(10**10)))] * len(candidates)

@reranker
def writes(view, candidates, ctx):
    os.write(1, b"written")
    sys.__stdout__.write("printed")
    subprocess.run(["echo", "echoed"])
    return [0.0] * len(candidates)
"""


def line_of(text: str) -> int:
    return RERANKERS.split("\n").index(text) + 1


FAULT, DEFINED = line_of("    ctypes.string_at(0)"), line_of("def killed(view, candidates, ctx):") - 1
ENDS = {
    "faults": f"'faults', problem 'mine/1': ended the process by SIGSEGV (FILE:{FAULT})",
    "killed": f"'killed', problem 'mine/1': ended the process by SIGKILL (FILE:{DEFINED})",
    "leaves": "'leaves', problem 'mine/1': ended the process with exit status 0 (FILE:",
    "exits": f"'exits', problem 'mine/1': called os._exit(0) (FILE:{line_of('    os._exit(0)')})",
    "raises": "'raises', problem 'mine/1': raised ValueError: no (FILE:",
}


def call(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one problem with a right and a wrong sample."""
    place = tmp_path_factory.mktemp("apart")
    problem = {
        "task_id": "mine/1",
        "prompt": "def add(x):\n",
        "entry_point": "add",
        "test": "assert add(1) == 2\n",
    }
    rows = [{"task_id": "mine/1", "completion": f"    return x + {answer}\n"} for answer in (1, 2)]
    (place / "mine.jsonl").write_text(json.dumps(problem) + "\n")
    (place / "samples.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (place / "own.py").write_text(RERANKERS)
    words = ("execute", "samples.jsonl", "--task-file", "mine.jsonl", "--out", "run")
    done = call(*words, *SANDBOX, cwd=place)
    assert done.returncode == 0, done.stderr
    return place


def test_each_costs_its_own_scores_and_the_table_of_the_others_comes_first(place: Path) -> None:
    words = [word for name in (*ENDS, "fine") for word in ("-r", f"own.py:{name}")]
    done = call("rerank", "run", *words, *SANDBOX, "--json", cwd=place)
    assert done.returncode == 2
    assert json.loads(done.stdout)["rerankers"]["fine"]["best_of_n"]["value"] == 1.0
    error = done.stderr.splitlines()[-1].replace(str(place / "own.py"), "FILE").replace("own.py", "FILE")
    assert error.startswith("error: ")
    for said in ENDS.values():
        assert said in error
    shown = call("rerank", "run", "-r", "own.py:raises", "-r", "own.py:fine", *SANDBOX, cwd=place)
    assert "by fine" in shown.stdout
    assert (shown.returncode, shown.stderr.splitlines()[-1][:22]) == (2, "error: reranker 'raise")


def test_one_that_ends_the_process_breaks_what_it_owes(place: Path) -> None:
    done = call("rerankers", "check", "own.py:faults", "own.py:exits", "own.py:fine", *SANDBOX, cwd=place)
    assert done.returncode == 1
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [
        "faults: BREAKS what it owes",
        "exits: BREAKS what it owes",
        "fine: conforms",
    ]
    assert "ended the process by SIGSEGV" in done.stdout
    # what is left out for one reason is one line
    assert done.stdout.count("its scores are not all there: repeatable, blind, verdicts, order") == 2


def test_an_end_behind_all_scoring_is_told_with_what_scored_last(place: Path) -> None:
    done = call("rerank", "run", "-r", "own.py:dies_late", *SANDBOX, cwd=place)
    assert (done.returncode, "by dies_late" in done.stdout) == (2, True)
    line = line_of("def dies_late(view, candidates, ctx):") - 1
    assert done.stderr.splitlines()[-1].replace(str(place / "own.py"), "FILE").replace("own.py", "FILE") == (
        "error: the process was ended by SIGALRM when no reranker was scoring; the last one that scored was "
        f"'dies_late', problem 'mine/1' (FILE:{line})"
    )


def test_what_is_left_of_a_reranker_does_not_end_the_command_at_once(place: Path) -> None:
    done = call("rerank", "run", "-r", "own.py:exits_late", *SANDBOX, cwd=place)
    assert (done.returncode, "by exits_late" in done.stdout) == (0, True)
    assert "called os._exit(3)" in done.stderr


def test_a_thread_that_is_left_does_not_keep_the_command(place: Path) -> None:
    done = call("rerank", "run", "-r", "own.py:waits", *SANDBOX, cwd=place)
    assert (done.returncode, "by waits" in done.stdout) == (0, True)


@pytest.mark.parametrize("json_wanted", [True, False])
def test_results_stand_alone_however_a_reranker_writes(place: Path, json_wanted: bool) -> None:
    done = call("rerank", "run", "-r", "own.py:writes", *SANDBOX, *["--json"] * json_wanted, cwd=place)
    if json_wanted:
        assert "writes" in json.loads(done.stdout)["rerankers"]
    assert "writes" in done.stdout
    assert not any(word in done.stdout for word in ("written", "printed", "echoed"))
    assert all(word in done.stderr for word in ("written", "printed", "echoed"))


def test_one_that_holds_the_interpreter_does_not_keep_a_command_that_is_told_to_end(place: Path) -> None:
    script = "from codesample.cli import apart, main; apart._LATEST_SECONDS = 1; main()"
    words = [sys.executable, "-c", script, "rerank", "run", "-r", "own.py:holds", *SANDBOX]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 300
        while not (place / "holds").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == 143
