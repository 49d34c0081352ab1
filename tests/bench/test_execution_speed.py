"""The throughput comparison runs every way on the same programs and reports plain rows."""

from __future__ import annotations

import dataclasses
import json

import pytest

from codesample.bench.execution import compare_throughput, tiny_programs
from codesample.errors import ExecutionError


def test_rows_of_every_way() -> None:
    rows = compare_throughput(tiny_programs(6), name="tiny", workers=2, rounds=1)
    assert [row["way"] for row in rows[:3]] == ["confined", "fresh_python", "fork_and_manager"]
    assert rows[0]["executor_times_faster"] == 1
    assert all(row["per_second"] > 0 and row["count"] == 6 for row in rows)
    assert json.loads(json.dumps(rows)) == rows


def test_tiny_programs_are_distinct() -> None:
    programs = tiny_programs(50)
    assert len({program.source for program in programs}) == 50


def test_a_way_that_fails_programs_has_no_speed() -> None:
    program = dataclasses.replace(tiny_programs(1)[0], source="def f(x): return None")
    with pytest.raises(ExecutionError, match="confined passed 0 of 1"):
        compare_throughput([program], name="broken", workers=1, rounds=1)
