from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from codesample.evaluation.references import reference_programs
from codesample.execution import Executor, Program
from codesample.records import Candidate, Verdict
from codesample.tasks.contract import Task


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as judge:
        yield judge


@pytest.fixture(scope="session")
def verdicts_of(executor: Executor) -> Callable[[Task, Iterable[tuple[str, str]]], list[Verdict]]:
    """Give a function from programs by task id, as somebody else's file brings them, to their verdicts."""

    def verdicts(task: Task, programs: Iterable[tuple[str, str]]) -> list[Verdict]:
        problems = {problem.task_id: problem for problem in task.problems()}
        given = [
            Candidate(task_id, index, "", program=text) for index, (task_id, text) in enumerate(programs)
        ]
        futures = [
            executor.submit(Program(each.task_id, each.index, source, problems[each.task_id].tests))
            for each, source in task.form("base").assembled(given, problems)
        ]
        return [future.result(300) for future in futures]

    return verdicts


@pytest.fixture(scope="session")
def reference_verdicts(executor: Executor) -> Callable[[Task], dict[str, Verdict]]:
    """Give a function from a task to the verdicts of its references, by task id."""

    def verdicts(task: Task) -> dict[str, Verdict]:
        futures = {each.task_id: executor.submit(each) for each in reference_programs(task)}
        return {task_id: future.result(300) for task_id, future in futures.items()}

    return verdicts
