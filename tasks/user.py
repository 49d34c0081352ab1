"""A task from a user's own file of problems; the form is described in the tasks' README."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from codesample.errors import DataError
from codesample.records import Example, Problem, Tests
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.examples import prompt_examples
from codesample.tasks.function_form import STOP, leading_code
from codesample.tasks.reader import Row, read_rows

__all__ = ["user_task"]

_T = TypeVar("_T")
_FIELDS = (
    "task_id",
    "prompt",
    "test",
    "entry_point",
    "canonical_solution",
    "examples",
    "stop",
    "completion",
    "metadata",
)
_FORMS = {"continues_prompt": prompt_then_completion, "is_program": completion_alone}


def user_task(path: Path) -> Task:
    """Read the problems of `path` at once and return them as a task named after the file.

    Raises:
        DataError: the file or a row is malformed; names file and line.
    """
    rows = list(read_rows(path))
    for row in rows:
        _refuse_near_misses(row)
    form = _agreed(rows, lambda row: row.get("completion", str, None), "completion", "continues_prompt")
    if form not in _FORMS:
        raise DataError(f"{path}: completion {form!r}; expected one of {', '.join(_FORMS)}")
    problems = [_problem(row, continues=form == "continues_prompt") for row in rows]
    return Task(
        name=path.name.split(".")[0],
        version="file",
        source=str(path),
        stop=_agreed(rows, _stop, "stop", STOP if form == "continues_prompt" else ()),
        max_new_tokens=512,
        load=lambda: problems,
        assemble=_FORMS[form],
    )


def _agreed(rows: list[Row], read: Callable[[Row], _T | None], field: str, default: _T) -> _T:
    """Return the one value of a field that must not differ between rows."""
    first: tuple[Row, _T] | None = None
    for row in rows:
        value = read(row)
        if value is None:
            continue
        if first is None:
            first = row, value
        elif value != first[1]:
            raise DataError(f"{row.where}: {field} {value!r} differs from {first[1]!r} ({first[0].where})")
    return default if first is None else first[1]


def _stop(row: Row) -> tuple[str, ...] | None:
    if row.get("stop", list, None) is None:
        return None
    stop = row.strings("stop")
    if "" in stop:
        raise DataError(f"{row.where}: stop holds an empty string, which would end every candidate at once")
    return stop


def _problem(row: Row, *, continues: bool) -> Problem:
    prompt, test = row.get("prompt", str), row.get("test", str)
    entry_point = row.get("entry_point", str, None)
    if entry_point is not None and not entry_point.isidentifier():
        raise DataError(f"{row.where}: entry_point {entry_point!r} is not a Python name")
    checked = entry_point is not None and "def check(" in test
    stub = leading_code(prompt, entry_point, where=row.where) if continues and entry_point else ""
    return Problem(
        task_id=row.get("task_id", str),
        prompt=prompt,
        description=prompt,
        entry_point=entry_point,
        tests=Tests(
            source=f"{test}\n\ncheck({entry_point})\n" if checked else test,
            entry_point=entry_point,
            stub=stub,
        ),
        examples=_examples(row, prompt, entry_point),
        reference=row.get("canonical_solution", str, None),
        metadata=row.get("metadata", dict, {}),
    )


def _examples(row: Row, prompt: str, entry_point: str | None) -> tuple[Example, ...]:
    given = row.get("examples", list, None)
    if given is None:
        return prompt_examples(prompt, entry_point) if entry_point else ()
    examples = []
    for item in given:
        if not isinstance(item, dict):
            raise DataError(f"{row.where}: an example is {type(item).__name__}, expected call and expected")
        pair = Row(item, f"{row.where}, examples")
        examples.append(Example(call=pair.get("call", str), expected=pair.get("expected", str)))
    return tuple(examples)


def _refuse_near_misses(row: Row) -> None:
    """Refuse a field that looks like a misspelt known one; other unknown fields are dropped."""
    for name in row.fields:
        near = difflib.get_close_matches(str(name), _FIELDS, n=1, cutoff=0.8)
        if name not in _FIELDS and near and near[0] not in row.fields:
            raise DataError(f"{row.where}: unknown field {name!r}; did you mean {near[0]!r}?")
