"""Problems that a data set's own columns hold: a text of tests, a list of them, or inputs with outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from codesample.data_files import Entry
from codesample.errors import DataError, ParameterError
from codesample.evaluation.lacking_packages import lacking_packages
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import ProblemSet
from codesample.records import CodeTests, Problem
from codesample.rewards.asked import Asked, style_of
from codesample.rewards.task_source import weakness
from codesample.stops import ends_in_function
from codesample.tasks.contract import Task
from codesample.tasks.prompt_form import Style
from codesample.tasks.unittest_form import refuse_idle_tests
from codesample.tasks.user import task_of_entries
from codesample.tasks.user_entry import UserEntry, demand_python

__all__ = ["RowSource"]

# what grades; other columns of these names may be anything, and are taken where they are named
_TAKEN = (
    "test",
    "io",
    "entry_point",
    "checker",
    "atol",
    "rtol",
    "time_limit",
    "memory_mib",
    "scratch_mib",
    "imports",
    "in_process",
)
_TESTS = ("test", "tests", "io")
_KEPT = 10_000
_WORDS = "an answer in words"


class RowSource:
    """A `Source` that makes a problem of each row, of the fields that `--task-file` takes, and keeps it.

    Args:
        columns: By field, the column that holds it, where that has another name.
        style, run: As for `TaskSource`.

    Raises:
        ParameterError: a field that there is not.
    """

    def __init__(self, *, columns: Mapping[str, str], style: Style | None, run: RunOptions) -> None:
        unknown = sorted(set(columns) - set(UserEntry.__struct_fields__))
        if unknown:
            raise ParameterError(
                f"columns: no field is called {unknown[0]!r}; expected "
                f"{', '.join(UserEntry.__struct_fields__)}"
            )
        self._columns, self._style, self._run = dict(columns), style, run
        self._kept: dict[str, tuple[Task, Problem, str]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # made of rows, and made again of them wherever they come up
        return {**self.__dict__, "_kept": {}}

    @property
    def chosen_sets(self) -> tuple[ProblemSet, ...]:
        """None: each row brings its problem."""
        return ()

    def asked(self, row: Mapping[str, Any], prompt: Any, *, conversation: bool) -> Asked:
        """See `Source.asked`; raises DataError for fields that are no tests, as a file's would be refused."""
        entry = self._entry(row, prompt)
        key = _digest(entry)
        made = self._kept.get(key)
        if made is None:
            made = self._kept[key] = self._made(entry, key)
            while len(self._kept) > _KEPT:
                # another thread may have taken the last one out
                self._kept.pop(next(iter(self._kept)), None)
        task, problem, unfit = made
        continued = task.base and isinstance(prompt, str) and ends_in_function(prompt)
        style = style_of(self._style, conversation=conversation, continued=continued)
        return Asked(problem, task.form(style), unfit)

    def _entry(self, row: Mapping[str, Any], prompt: Any) -> dict[str, Any]:
        named = {field: row.get(column) for field, column in self._columns.items()}
        entry = {field: _plain(row.get(field)) for field in _TAKEN} | {
            field: _plain(value) for field, value in named.items()
        }
        if entry["test"] is None and entry["io"] is None:
            entry["test"] = _plain(row.get("tests"))
        if entry["test"] is None and entry["io"] is None:
            raise ParameterError(
                f"a row holds no tests: none of {', '.join(_TESTS)}; columns: "
                f"{', '.join(sorted(row)) or 'none'}. Say which it is, columns={{'test': ...}}, or name the "
                "task that the rows are of"
            )
        if entry.get("prompt") is None and entry.get("messages") is None:
            # of a conversation nothing can be continued
            entry["prompt"] = prompt if isinstance(prompt, str) and prompt else _WORDS
        return {field: value for field, value in entry.items() if value is not None}

    def _made(self, entry: dict[str, Any], key: str) -> tuple[Task, Problem, str]:
        entry = {"task_id": key[:12], **entry}
        where = f"row {entry['task_id']}"
        asserts = entry["test"] if isinstance(entry.get("test"), list) else None
        if asserts is not None:
            if not all(isinstance(each, str) for each in asserts) or not asserts:
                raise DataError(f"{where}: test is a list; expected texts of Python, one for each check")
            for each in asserts:
                demand_python(each, "test", where=where)
                refuse_idle_tests(each, where=where)
            entry["test"] = "\n".join(asserts)
        if "io" in entry:
            entry["io"] = _pairs(entry["io"], where)
        prompt = entry.get("prompt")
        if isinstance(prompt, str) and "completion" not in entry and not ends_in_function(prompt):
            entry["completion"] = "is_program"
        task = task_of_entries([Entry(entry, where)], name="rows", source=where)
        problem = task.problems()[0]
        if asserts is not None and isinstance(problem.tests, CodeTests) and not problem.tests.checks:
            problem = replace(problem, tests=replace(problem.tests, source="", checks=tuple(asserts)))
        lacking = lacking_packages([problem], self._run).get(problem.task_id)
        missing = f"needs packages that are not installed here: {', '.join(lacking)}" if lacking else ""
        return task, problem, missing or weakness(problem.tests, self._run)


def _plain(value: Any) -> Any:
    """Return arrays, as files of columns give them, as lists."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _pairs(io: Any, where: str) -> Any:
    """Return inputs and outputs as a list of pairs: as JSON, or in two lists, they come too."""
    if isinstance(io, str):
        try:
            io = json.loads(io)
        except ValueError as error:
            raise DataError(f"{where}: io is a text that is no JSON: {error}") from None
    if not isinstance(io, dict):
        return io
    inputs, outputs = (io.get(name, io.get(f"{name}s")) for name in ("input", "output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise DataError(f"{where}: io holds no two lists of equal length, inputs and outputs")
    return [{"input": given, "output": out} for given, out in zip(inputs, outputs, strict=True)]


def _digest(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
