"""Simpler ways to run a program tell passing from failing, and leave this process as it was."""

import os
from dataclasses import replace

import pytest

from codesample.bench.execution_rivals import rivals
from codesample.bench.execution_speed import tiny_programs

(PASSES,) = tiny_programs(1)


@pytest.mark.parametrize("way", ["fresh_python", "fork_and_manager"])
def test_what_passes_passes_and_what_fails_fails(way):
    judge, where = rivals()[way], os.getcwd()
    assert judge(PASSES) is True
    assert judge(replace(PASSES, source="def f(x): return None")) is False
    assert judge(replace(PASSES, source="raise SystemExit(3)")) is False
    assert os.getcwd() == where
    assert os.kill is not None
