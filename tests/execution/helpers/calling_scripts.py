"""Scripts that call an executor, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

PATIENCE_SECONDS = 100.0
PREAMBLE = """
import asyncio, gc, os, pickle, signal, sys, threading, time
from codesample.errors import ExecutionError, IsolationError
from codesample.execution import Executor, Limits, Program, run, run_async
from codesample.records import CodeTests
TESTS = CodeTests(source="assert f(2) == 4\\nassert f(3) == 9", entry_point="f")
LOOP = CodeTests(source="while True: f(1)", entry_point="f")

def program(n, tests=TESTS):
    return Program("t", n, f"def f(x): return x * x + {n % 2}  # {n}", tests)

def judged(executor, count=6):
    futures = [executor.submit(program(n)) for n in range(count)]
    return [str(future.result(60).status) for future in futures]
"""
RIGHT = "['passed', 'wrong', 'passed', 'wrong', 'passed', 'wrong']"


def call(script: str, *, flags: tuple[str, ...] = (), **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run a script that begins with `PREAMBLE`."""
    return subprocess.run(
        [sys.executable, *flags, "-c", PREAMBLE + script],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        **settings,
    )


def said(script: str, **settings: Any) -> list[str]:
    """Return the lines of a script that ends well and complains of nothing."""
    done = call(script, **settings)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()
