"""What tasks state of their data is what the published files hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.tasks.contract import Task
from codesample.tasks.registry import load_task, task_names

# they take seconds to read; that the rows are as many as is stated is held where all of them are looked at
LARGE = "bigcodebench"


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow if name.startswith(LARGE) else ()) for name in task_names()
    ]
)
def task(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> Task:
    named = load_task(request.param)
    if not named.facts.files:
        return named
    # the data lie beside the checkout under their published names, some of them compressed or in a folder
    name = named.facts.files[0]
    for place in (f"tasks/{name}.gz", f"tasks/{name}"):
        with contextlib.suppress(pytest.skip.Exception):
            return load_task(named.name, data=published(place))
    return load_task(named.name, data=published(name))


def test_the_stated_numbers_of_problems_are_those_of_the_data(task: Task) -> None:
    if task.facts.problems is not None:
        # what nothing can be judged by here is left out, by name
        assert len(task.problems()) + len(task.left_out) == task.facts.problems
    if task.facts.entries is not None:
        assert len(task.all_problems()) + len(task.left_out) == task.facts.entries


def test_a_task_is_called_as_it_is_registered() -> None:
    for name in task_names():
        assert load_task(name).name == name
