"""What tasks state of their data is what the published files hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.tasks.contract import Task
from codesample.tasks.registry import load_task, task_names


@pytest.fixture(params=task_names())
def task(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> Task:
    named = load_task(request.param)
    return load_task(named.name, data=published(named.facts.files[0])) if named.facts.files else named


def test_the_stated_numbers_of_problems_are_those_of_the_data(task: Task) -> None:
    if task.facts.problems is not None:
        assert len(task.problems()) == task.facts.problems
    if task.facts.entries is not None:
        assert len(task.all_problems()) == task.facts.entries


def test_a_task_is_called_as_it_is_registered() -> None:
    for name in task_names():
        assert load_task(name).name == name
