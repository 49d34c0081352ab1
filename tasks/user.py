"""A task from a user's own file of problems; the form is described in the tasks' README."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from codesample.errors import DataError
from codesample.records import Example, Problem, Tests
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.examples import flaw_of, prompt_examples
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
    "io",
    "in_process",
    "time_limit",
    "memory_mib",
    "imports",
)
_MAX_SECONDS, _MAX_MIB = 86_400, 1 << 20
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
    prompt = row.get("prompt", str)
    entry_point = row.get("entry_point", str, None)
    if entry_point is not None and not entry_point.isidentifier():
        raise DataError(f"{row.where}: entry_point {entry_point!r} is not a Python name")
    stub = leading_code(prompt, entry_point, where=row.where) if continues and entry_point else ""
    return Problem(
        task_id=row.get("task_id", str),
        prompt=prompt,
        description=prompt,
        entry_point=entry_point,
        tests=_tests(row, entry_point, stub),
        examples=_examples(row, prompt, entry_point),
        reference=row.get("canonical_solution", str, None),
        metadata=row.get("metadata", dict, {}),
    )


def _tests(row: Row, entry_point: str | None, stub: str) -> Tests:
    seconds = None if row.get("time_limit", object, None) is None else row.number("time_limit")
    mib = row.get("memory_mib", int, None)
    for name, value, most in (("time_limit", seconds, _MAX_SECONDS), ("memory_mib", mib, _MAX_MIB)):
        if value is not None and not 0 < value <= most:
            raise DataError(f"{row.where}: {name} {value}; expected a number above 0, at most {most}")
    imports = row.strings("imports", [])
    for name in imports:
        if not all(part.isidentifier() for part in name.split(".")):
            raise DataError(f"{row.where}: imports {name!r}, which is not the name of a module")
    limits = Tests(time_limit=seconds, memory=mib and mib << 20, imports=imports)
    in_process = row.get("in_process", bool, False)
    if row.get("io", list, None) is not None:
        if row.get("test", str, None) is not None or in_process:
            raise DataError(f"{row.where}: io stands alone, without test and in_process")
        return replace(limits, io=_cases(row))
    test = row.get("test", str)
    checked = entry_point is not None and "def check(" in test
    return replace(
        limits,
        source=f"{test}\n\ncheck({entry_point})\n" if checked else test,
        entry_point=entry_point,
        stub=stub,
        mode="in_process" if in_process else "split",
    )


def _cases(row: Row) -> tuple[tuple[str, str], ...]:
    cases = _pairs(row, "io", "input", "output")
    if not cases:
        raise DataError(f"{row.where}: io holds no case")
    return tuple(cases)


def _examples(row: Row, prompt: str, entry_point: str | None) -> tuple[Example, ...]:
    if row.get("examples", list, None) is None:
        return prompt_examples(prompt, entry_point) if entry_point else ()
    examples = tuple(Example(*pair) for pair in _pairs(row, "examples", "call", "expected"))
    for flaw in filter(None, map(flaw_of, examples)):
        raise DataError(f"{row.where}: examples: {flaw}")
    return examples


def _pairs(row: Row, field: str, first: str, second: str) -> list[tuple[str, str]]:
    """Read a list of objects with two texts each."""
    pairs = []
    for item in row.get(field, list):
        if not isinstance(item, dict):
            got = type(item).__name__
            raise DataError(f"{row.where}: {field} holds {got}, expected objects with {first} and {second}")
        pair = Row(item, f"{row.where}, {field}")
        pairs.append((pair.get(first, str), pair.get(second, str)))
    return pairs


def _refuse_near_misses(row: Row) -> None:
    """Refuse a field that looks like a misspelt known one; other unknown fields are dropped."""
    for name in row.fields:
        near = difflib.get_close_matches(str(name), _FIELDS, n=1, cutoff=0.8)
        if name not in _FIELDS and near and near[0] not in row.fields:
            raise DataError(f"{row.where}: unknown field {name!r}; did you mean {near[0]!r}?")
