"""Problems of several tasks at once: each row's id says whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError, UnknownNameError
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import Problem
from codesample.rewards.asked import Asked
from codesample.rewards.task_source import TaskLike, TaskSource
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import Style

__all__ = ["SeveralTasks", "task_sources"]


class SeveralTasks:
    """A `Source` of the problems of several tasks.

    Args:
        sources: Of one task each.
        id_column: Which column names the problem.

    Raises:
        ParameterError: two of them know the same id.
    """

    def __init__(self, sources: Sequence[TaskSource], *, id_column: str) -> None:
        self._sources, self._id_column = tuple(sources), id_column
        self._by_id: dict[str, TaskSource] = {}
        for source in self._sources:
            for task_id in source.chosen.by_id:
                other = self._by_id.setdefault(task_id, source)
                if other is not source:
                    raise ParameterError(
                        f"{task_id!r} is a problem of task {other.chosen.task.name} and of "
                        f"{source.chosen.task.name}; give one of them"
                    )

    @property
    def chosen_sets(self) -> tuple[ProblemSet, ...]:
        """See `Source.chosen_sets`."""
        return tuple(source.chosen for source in self._sources)

    def asked(self, row: Mapping[str, Any], prompt: Any, *, conversation: bool) -> Asked:
        """See `Source.asked`; a row without an id, or with an unknown one, is refused by name."""
        task_id = row.get(self._id_column)
        source = self._by_id.get(str(task_id))
        if source is None and task_id is not None:
            names = ", ".join(each.task.name for each in self.chosen_sets)
            raise UnknownNameError(
                "task id", str(task_id), self._by_id, f"Those of {names}: codesample.rewards.dataset"
            )
        # the first one says what is amiss with a row that names no problem
        return (source or self._sources[0]).asked(row, prompt, conversation=conversation)


def task_sources(
    task: TaskLike, *, data: Path | None, style: Style | None, id_column: str, run: RunOptions
) -> list[TaskSource]:
    """Return a source for each task that is meant; problems that are given as such are one task.

    Raises:
        ParameterError: tasks beside problems, or one file of data for several tasks.
        CodesampleError: as `TaskSource`.
    """
    settings: dict[str, Any] = {"style": style, "id_column": id_column, "run": run}
    if isinstance(task, str | Path | Task):
        return [TaskSource(task, data=data, **settings)]
    problems = [each for each in task if isinstance(each, Problem)]
    tasks = [each for each in task if not isinstance(each, Problem)]
    if not tasks:
        return [TaskSource(problems, data=data, **settings)]
    if problems or (data is not None and len(tasks) > 1):
        what = "problems stand beside tasks" if problems else f"data = {str(data)!r} is of one task"
        raise ParameterError(f"task: {what}; give tasks alone or problems alone, and data with one task")
    return [TaskSource(each, data=data, **settings) for each in tasks]
