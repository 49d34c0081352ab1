"""Problems of a task, found by the ids in a data set's rows; and which of them can be judged at all."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from codesample.errors import ParameterError, UnknownNameError
from codesample.evaluation.lacking_packages import lacking_packages, notice_of_lacking, refuse_if_all_lack
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import ProblemSet, read_problems
from codesample.execution.caller.tests_facts import facts_of
from codesample.records import CodeTests, InputTests, Problem, Tests
from codesample.rewards.asked import Asked, style_of
from codesample.stops import PYTHON_FUNCTION, ends_in_function
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.prompt_form import PromptForm, Style

__all__ = ["OneTask", "TaskLike", "TaskSource", "problems_of", "weakness"]

OneTask = str | Path | Task
"""A task by its name or by a file of problems, or the task itself."""

TaskLike = OneTask | Sequence[OneTask | Problem]
"""A task, several tasks, or the problems of one."""

_log = logging.getLogger("codesample.rewards")


def problems_of(task: OneTask | Sequence[Problem], *, data: Path | None = None) -> ProblemSet:
    """Read the problems of a task; see `read_problems` for what is raised.

    Of problems that are given as such, completions continue the prompts where all of these open a function,
    and are whole programs otherwise.
    """
    if isinstance(task, str | Path | Task):
        return read_problems(task, data=data)
    problems = tuple(task)
    if not problems or not all(isinstance(each, Problem) for each in problems):
        raise ParameterError(
            "task is a list that is empty or holds something else than problems; expected codesample.Problem"
        )
    if data is not None:
        raise ParameterError(f"data = {str(data)!r}: only a named task reads its data from elsewhere")
    continued = all(isinstance(each.tests, CodeTests | InputTests) for each in problems)
    continued = continued and all(ends_in_function(each.prompt) for each in problems)
    return read_problems(
        Task(
            name="problems",
            version="given",
            source="given by the caller",
            # as for other tasks whose prompts open a function
            stop=(PYTHON_FUNCTION,) if continued else (),
            max_new_tokens=512,
            load=lambda: problems,
            assemble=prompt_then_completion if continued else completion_alone,
        )
    )


def weakness(tests: Tests, run: RunOptions) -> str:
    """Say why a program could fake its way past tests, where that was not accepted; "" else.

    What can be faked, training finds.
    """
    if run.integrity == "any":
        return ""
    facts = facts_of(tests)
    if facts.form != "weak":
        return ""
    return (
        f"its tests run beside the program ({facts.reason}), which can fake a pass; "
        "accept that by run=RunOptions(integrity='any')"
    )


class TaskSource:
    """A `Source` of a task's problems.

    Args:
        task, data: See `problems_of`.
        style: How problems were put to the model; None tells it by each sample.
        id_column: Which column names the problem.
        run: Says what of the machine's programs may import, and whether weak tests count.

    Raises:
        CodesampleError: as `problems_of`, or no problem can be judged here; says why.
    """

    def __init__(
        self,
        task: OneTask | Sequence[Problem],
        *,
        data: Path | None,
        style: Style | None,
        id_column: str,
        run: RunOptions,
    ) -> None:
        self._made_of = (task, data, style, id_column, run)
        self.chosen = problems_of(task, data=data)
        self._style, self._id_column, self._run = style, id_column, run
        self._forms: dict[Style, PromptForm] = {}
        self._lacking = lacking_packages(self.chosen.problems, run)
        refuse_if_all_lack(self._lacking, len(self.chosen.problems))
        if notice := notice_of_lacking(self._lacking, len(self.chosen.problems)):
            _log.warning("%s: %s", self.chosen.task.name, notice)
        if style is not None:
            self._form(style)
        if not self.fit:
            first = self.chosen.problems[0]
            raise ParameterError(
                f"task {self.chosen.task.name}: {first.task_id}: {self._unfit[first.task_id]}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        task = self._made_of[0]
        if isinstance(task, Task):
            _expect_portable(task)
        return _remade, self._made_of

    @property
    def chosen_sets(self) -> tuple[ProblemSet, ...]:
        """See `Source.chosen_sets`."""
        return (self.chosen,)

    @cached_property
    def _unfit(self) -> dict[str, str]:
        reasons = {
            task_id: f"needs packages that are not installed here: {', '.join(names)}"
            for task_id, names in self._lacking.items()
        }
        for problem in self.chosen.problems:
            if problem.task_id not in reasons and (why := weakness(problem.tests, self._run)):
                reasons[problem.task_id] = why
        return reasons

    @cached_property
    def fit(self) -> tuple[Problem, ...]:
        """The problems that can be judged here by tests that count."""
        return tuple(each for each in self.chosen.problems if each.task_id not in self._unfit)

    def asked(self, row: Mapping[str, Any], prompt: Any, *, conversation: bool) -> Asked:
        """See `Source.asked`; a row without an id, or with an unknown one, is refused by name."""
        name, column = self.chosen.task.name, self._id_column
        if row.get(column) is None:
            raise ParameterError(
                f"task {name}: a row has no {column!r}, which names its problem; columns: "
                f"{', '.join(sorted(row)) or 'none'}. Make the rows by codesample.rewards.dataset, or say "
                "which column it is: columns={'task_id': ...}"
            )
        task_id = str(row[column])
        problem = self.chosen.by_id.get(task_id)
        if problem is None:
            raise UnknownNameError(
                "task id", task_id, self.chosen.by_id, f"Those of task {name}: codesample.rewards.dataset"
            )
        continued = self.chosen.task.base and (prompt is None or prompt == problem.prompt)
        style = style_of(self._style, conversation=conversation, continued=continued)
        return Asked(problem, self._form(style), self._unfit.get(task_id, ""))

    def _form(self, style: Style) -> PromptForm:
        if style not in self._forms:
            self._forms[style] = self.chosen.task.form(style)
        return self._forms[style]


def _remade(task: OneTask | Sequence[Problem], data: Path | None, *more: Any) -> TaskSource:
    style, id_column, run = more
    return TaskSource(task, data=data, style=style, id_column=id_column, run=run)


def _expect_portable(task: Task) -> None:
    try:
        pickle.dumps(task)
    except Exception as error:
        raise ParameterError(
            f"task {task.name} cannot be sent to another process ({error}); name it in place of giving it, "
            "FILE.py:NAME, so that each process makes it anew"
        ) from error
