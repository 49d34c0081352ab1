"""From what a user asks of a reward to its grader, the same for every trainer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.rewards.graded import Weights
from codesample.rewards.grader import Grader
from codesample.rewards.row_source import RowSource
from codesample.rewards.several_tasks import SeveralTasks, task_sources
from codesample.rewards.task_source import TaskLike
from codesample.tasks.prompt_form import Style

__all__ = ["make_grader"]


def make_grader(
    task: TaskLike | None,
    *,
    data: Path | None,
    columns: Mapping[str, str] | None,
    style: Style | None,
    weights: Weights,
    run: RunOptions | None,
) -> Grader:
    """Return a grader of a task's problems, or of those that rows hold where no task is given.

    Raises:
        CodesampleError: the task or its data cannot be had, or none of its problems can be judged here.
        ParameterError: fields as columns beside a task, which has its own; or data without one.
    """
    run, columns = run or RunOptions(), dict(columns or {})
    if task is None:
        if data is not None:
            raise ParameterError(f"data = {str(data)!r}: only a named task reads its data from elsewhere")
        return Grader(RowSource(columns=columns, style=style, run=run), weights, run)
    id_column = columns.pop("task_id", "task_id")
    if columns:
        raise ParameterError(
            f"columns: {next(iter(columns))!r} beside a task, whose problems bring their tests; only the "
            "column of 'task_id' may have another name. Without a task, tests come from the rows"
        )
    sources = task_sources(task, data=data, style=style, id_column=id_column, run=run)
    source = sources[0] if len(sources) == 1 else SeveralTasks(sources, id_column=id_column)
    return Grader(source, weights, run)
