"""Runs the Triton kernels' tests under TRITON_INTERPRET=1, in a process of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the Triton kernels need the package triton")

TESTS = Path(__file__).with_name("triton_under_interpreter.py")


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS), *arguments],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=TESTS.parents[2],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_every_feature_alone_and_combined():
    passed = re.search(r"(\d+) passed", run("-m", "not whole"))
    assert passed
    assert int(passed[1]) >= 100


@pytest.mark.whole
def test_every_feature_in_either_half():
    assert "17 passed" in run("-m", "whole")


def test_the_kernels_run_and_refuse():
    assert "4 passed" in run("-k", "refuses or sees_nothing or refused_by_name or quick")
