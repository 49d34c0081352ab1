"""The executor beside simpler ways: all run the same programs, and all must pass them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from codesample.bench.execution_rivals import rivals
from codesample.bench.execution_speed import measure_execution, tiny_programs
from codesample.errors import ExecutionError

KEPT = Path(__file__).parents[2] / "docs" / "benchmarks" / "execution.jsonl"


def test_every_way_is_measured_and_has_the_keys_of_those_that_are_kept() -> None:
    found = measure_execution(tiny_programs(6), name="tiny", workers=2, rounds=1)
    assert [each["way"] for each in found] == ["confined", *rivals()]
    assert found[0]["executor_times_faster"] == 1
    assert all(each["per_second"] > 0 and each["count"] == 6 for each in found)
    assert json.loads(json.dumps(found)) == found
    kept = [json.loads(line) for line in KEPT.read_text().splitlines()]
    # to a kept one the command and the day were added by hand
    like = [[name for name in each if name not in ("command", "date")] for each in kept if "rounds" in each]
    assert like == [list(found[0])] * len(like)
    assert like


def test_tiny_programs_are_distinct() -> None:
    programs = tiny_programs(50)
    assert len({program.source for program in programs}) == 50


def test_a_way_that_fails_programs_has_no_speed() -> None:
    program = dataclasses.replace(tiny_programs(1)[0], source="def f(x): return None")
    with pytest.raises(ExecutionError, match="confined passed 0 of 1"):
        measure_execution([program], name="broken", workers=1, rounds=1)
