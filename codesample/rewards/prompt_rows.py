"""A task's problems as a data set that a trainer takes; each row names its problem for the reward."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

from codesample.errors import ParameterError
from codesample.evaluation.options import RunOptions
from codesample.records import Problem, Prompt
from codesample.records.validation import validated
from codesample.rewards.several_tasks import task_sources
from codesample.rewards.task_source import TaskLike, TaskSource
from codesample.tasks.prompt_form import PromptForm, Style

__all__ = ["dataset"]

_log = logging.getLogger("codesample.rewards")


@validated
def dataset(
    task: TaskLike,
    *,
    data: Path | None = None,
    style: Style = "chat",
    system: str | None = None,
    trainer: Literal["trl", "verl", "openrlhf"] = "trl",
    run: RunOptions | None = None,
) -> Any:
    """Return problems of a task, or of several, as a `datasets.Dataset` for a trainer, in their order.

    Left out, with a notice, are problems that cannot be judged here: their packages are not installed, or
    their tests run beside the program, which could fake a pass (`run=RunOptions(integrity="any")` keeps
    these).

    Args:
        task, data: As for `for_trl`.
        style: "chat": messages, for models with a chat template. "base": the text to continue.
        system: A system turn before each problem; chat only.
        trainer: Whose columns the rows have. "trl": `prompt`, `task_id`. "verl": `data_source`, `prompt`,
            `ability`, `reward_model`, `extra_info`, to be written by `to_parquet`. "openrlhf": `input`,
            `label`, to be written by `to_json`.

    Raises:
        CodesampleError: the task cannot be had, has no such form, or none of its problems can be judged here.
        ParameterError: a system turn with the base form; or "verl" with it, which takes messages alone.
    """
    if trainer == "verl" and style == "base":
        raise ParameterError("style = 'base': verl puts every prompt through a chat template; leave it out")
    from datasets import Dataset

    sources = task_sources(task, data=data, style=None, id_column="task_id", run=run or RunOptions())
    rows = [
        row
        for source in sources
        for row in _rows(source, source.chosen.task.form(style, system=system), trainer)
    ]
    return Dataset.from_list(rows)


def _rows(source: TaskSource, form: PromptForm, trainer: str) -> list[dict[str, Any]]:
    name, problems = source.chosen.task.name, source.chosen.problems
    if len(source.fit) < len(problems):
        _log.warning(
            "%s: %d of %d problems are left out: they cannot be judged here by tests that count",
            name,
            len(problems) - len(source.fit),
            len(problems),
        )
    make = {"trl": _trl_row, "verl": _verl_row, "openrlhf": _openrlhf_row}[trainer]
    return [make(name, at, each, form) for at, each in enumerate(source.fit)]


def _plain(prompt: Prompt) -> str | list[dict[str, str]]:
    if isinstance(prompt, str):
        return prompt
    return [{"role": each.role, "content": each.content} for each in prompt]


def _trl_row(name: str, at: int, problem: Problem, form: PromptForm) -> dict[str, Any]:
    return {"prompt": _plain(form.ask(problem)), "task_id": problem.task_id}


def _verl_row(name: str, at: int, problem: Problem, form: PromptForm) -> dict[str, Any]:
    return {
        "data_source": name,
        "prompt": _plain(form.ask(problem)),
        "ability": "code",
        "reward_model": {"style": "rule", "ground_truth": problem.task_id},
        "extra_info": {"index": at, "task_id": problem.task_id},
    }


def _openrlhf_row(name: str, at: int, problem: Problem, form: PromptForm) -> dict[str, Any]:
    return {"input": _plain(form.ask(problem)), "label": problem.task_id}
