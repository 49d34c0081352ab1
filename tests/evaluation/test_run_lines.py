"""A line for each problem of a run, narrowed and ordered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.run_contents import read_run
from codesample.evaluation.run_lines import choose_lines, problem_lines
from codesample.evaluation.run_order import Only, Order
from codesample.records import Status


def test_a_line_counts_verdicts_and_names_first_choices(judged_run: Path) -> None:
    first, second, third = problem_lines(read_run(judged_run))
    assert (first.task_id, first.candidates, first.graded, first.passed) == ("mine/1", 4, 4, 2)
    assert list(first.statuses.items()) == [(Status.PASSED, 2), (Status.WRONG, 1), (Status.ERROR, 1)]
    assert first.as_json()["picks"]["near"] == {"indices": [0, 2], "passed": 1}
    assert [line.lost("near") for line in (first, second, third)] == [0.5, 1.0, 0.0]
    assert [line.lost("even,more") for line in (first, second, third)] == [0.5, 0.75, 0.0]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["1", "2", "30"]),
        ({"order": Order.PASSED}, ["30", "2", "1"]),
        ({"order": Order.LOST}, ["2", "1", "30"]),
        ({"only": Only.NONE_PASS}, ["30"]),
        ({"only": Only.SOME_PASS}, ["1", "2"]),
        ({"only": Only.ALL_PASS}, []),
        ({"lost_by": ["near"]}, ["1", "2"]),
        ({"statuses": [Status.ERROR, Status.CPU_TIMEOUT], "order": Order.PASSED}, ["2", "1"]),
        ({"statuses": [Status.CPU_TIMEOUT], "lost_by": ["near", "even,more"]}, ["2"]),
    ],
)
def test_lines_are_narrowed_and_ordered(judged_run: Path, asked: dict[str, Any], expected: list[str]) -> None:
    chosen = choose_lines(problem_lines(read_run(judged_run)), **asked)
    assert [line.task_id.removeprefix("mine/") for line in chosen] == expected
