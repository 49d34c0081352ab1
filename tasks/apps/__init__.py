"""APPS: contest problems in words, judged by what a program prints or a function returns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from keyword import iskeyword
from pathlib import Path
from typing import Any

import msgspec

from codesample.data_files import Entry, hub_file, read_entries
from codesample.decoding import converted, parsed
from codesample.errors import DataError, ParameterError
from codesample.records import InputTests, Problem, ScriptExample, ScriptTests
from codesample.records.validation import validated
from codesample.tasks.apps.apps_facts import apps_facts
from codesample.tasks.apps.published_folders import folder_entries, is_published_form
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.given_names import GivenNames, as_script, with_method_as_function
from codesample.tasks.output_checkers import APPS_CHECKER
from codesample.tasks.script_form import STARTER, Unjudgeable, contest_chat, judgeable

__all__ = ["apps", "apps_competition", "apps_interview", "apps_introductory"]

_HUB_ID, _HUB_FILE = "codeparrot/apps", "test.jsonl"
_SOURCE = "Hendrycks et al. 2021, Measuring Coding Challenge Competence With APPS, arXiv:2105.09938"
_SECONDS = 4.0
_GIVEN = GivenNames(
    "import sys, time, itertools, collections, math, fractions, random, heapq\n"
    "from itertools import accumulate, product, permutations, combinations\n"
    "from collections import Counter, OrderedDict, deque, defaultdict, ChainMap\n"
    "from functools import lru_cache\n"
    "from math import sqrt, sin, cos, tan, ceil, fabs, floor, gcd, exp, log, log2\n"
    "from typing import List, Tuple\n"
    "from heapq import *\n"
    "from sys import stdin, stdout\n"
)
_ACCEPT = """
def accept(arguments, result, expected):
    if isinstance(result, tuple):
        result = list(result)
    if result == expected or isinstance(expected, list) and expected and result == expected[0]:
        return True
    pairs = isinstance(result, list) and result and isinstance(result[0], tuple)
    return bool(pairs) and [list(pair) for pair in result] == expected[0]
"""


class _AppsEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the hub's rows; texts that hold JSON are empty where there is nothing."""

    question: str
    input_output: str = ""
    solutions: str = ""
    starter_code: str = ""
    difficulty: str = ""
    url: str = ""
    problem_id: int | None = None
    id: int | None = None


@validated
def apps(data: Path | None = None) -> Task:
    """Return APPS: its 5,000 test problems; `data` is a file of the hub's rows, a folder or a zip file."""
    return _task("apps", data, None)


@validated
def apps_introductory(data: Path | None = None) -> Task:
    """Return the problems of APPS of difficulty "introductory": 1,000 of the test split."""
    return _task("apps_introductory", data, "introductory")


@validated
def apps_interview(data: Path | None = None) -> Task:
    """Return the problems of APPS of difficulty "interview": 3,000 of the test split."""
    return _task("apps_interview", data, "interview")


@validated
def apps_competition(data: Path | None = None) -> Task:
    """Return the problems of APPS of difficulty "competition": 1,000 of the test split."""
    return _task("apps_competition", data, "competition")


def _task(name: str, data: Path | None, difficulty: str | None) -> Task:
    left_out: dict[str, str] = {}
    return Task(
        name=name,
        version="1",
        source=_SOURCE,
        stop=("\nQUESTION:",),
        max_new_tokens=1024,
        load=lambda: judgeable(_entries(data), _task_id, _problem, left_out),
        assemble=completion_alone,
        in_split=lambda problem: difficulty in (None, problem.metadata["difficulty"]),
        chat=contest_chat(source="codesample, tasks/apps", max_new_tokens=2048),
        finish=_finished,
        left_out=left_out,
        facts=apps_facts(difficulty),
    )


def _finished(problem: Problem, program: str) -> str:
    if isinstance(problem.tests, ScriptTests):
        return _GIVEN.before(as_script(program))
    return _GIVEN.before(with_method_as_function(program, problem.entry_point or ""))


def _entries(data: Path | None) -> Iterator[Entry[_AppsEntry]]:
    if data is not None and is_published_form(Path(data)):
        for found in folder_entries(Path(data)):
            yield Entry(converted(found.record, _AppsEntry, where=found.where), found.where)
    else:
        yield from read_entries(data or hub_file(_HUB_ID, _HUB_FILE), _AppsEntry)


def _task_id(entry: Entry[_AppsEntry]) -> str:
    record = entry.record
    number = record.id if record.problem_id is None else record.problem_id
    if number is None:
        raise DataError(f"{entry.where}: field 'problem_id' is missing")
    return f"APPS/{number}"


def _problem(entry: Entry[_AppsEntry], task_id: str) -> Problem:
    record = entry.record
    cases = _json(entry, "input_output", dict)
    name = cases.get("fn_name") or None
    inputs, outputs = cases.get("inputs") or [], cases.get("outputs") or []
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise DataError(f"{entry.where}: input_output holds inputs and outputs that are no lists")
    if not inputs:
        raise Unjudgeable("it has no tests")
    if len(inputs) != len(outputs):
        raise Unjudgeable(f"it has {len(inputs)} inputs and {len(outputs)} outputs")
    try:
        tests = _function(name, inputs, outputs) if name else _script(inputs, outputs)
    except ParameterError as error:
        raise Unjudgeable(str(error)) from error
    solutions = _json(entry, "solutions", list)
    if not all(isinstance(each, str) for each in solutions):
        raise DataError(f"{entry.where}, solutions: holds something else than texts")
    kind = "Use Call-Based format" if name else "Use Standard Input format"
    code = f"\n{record.starter_code}" if record.starter_code else ""
    return Problem(
        task_id=task_id,
        prompt=f"\nQUESTION:\n{record.question}{code}\n{kind}\nANSWER:\n",
        description=record.question,
        # what the statement shows is often the very test: as public examples it would grade
        examples=(),
        entry_point=name,
        tests=tests,
        reference=solutions[0] if solutions else None,
        metadata={"difficulty": record.difficulty, "url": record.url, STARTER: record.starter_code},
    )


def _json(entry: Entry[_AppsEntry], field: str, kind: Callable[[], Any]) -> Any:
    """Read a field that holds JSON; an empty one holds nothing."""
    text = getattr(entry.record, field)
    where = f"{entry.where}, {field}"
    if not text.strip():
        return kind()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "integer string conversion" in str(error):
            # Python itself reads no number of more than 4,300 digits
            raise Unjudgeable(f"{field} holds an integer too long to be read") from error
        value = parsed(text.encode("utf-8", "surrogatepass"), where=where)
    if not isinstance(value, kind):  # type: ignore[arg-type]
        raise DataError(f"{where}: holds {type(value).__name__}, expected {kind.__name__}")
    return value


def _script(inputs: Sequence[Any], outputs: Sequence[Any]) -> ScriptTests:
    cases = tuple(
        ScriptExample(_text(given), _text(printed)) for given, printed in zip(inputs, outputs, strict=True)
    )
    return ScriptTests(cases=cases, checker=APPS_CHECKER, time_limit=_SECONDS)


def _text(value: Any) -> str:
    """Return a standard input or output, which may be stated line by line."""
    lines = value if isinstance(value, list) else [value]
    if not all(isinstance(line, str) for line in lines):
        raise Unjudgeable(f"an input or output is {value!r:.80}, expected a text or a list of lines")
    return "\n".join(lines)


def _function(name: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> InputTests:
    if not isinstance(name, str) or not name.isidentifier() or iskeyword(name):
        raise Unjudgeable(f"fn_name {name!r} is no name of a function")
    for given in inputs:
        if not isinstance(given, list):
            raise Unjudgeable(f"an input is {given!r:.80}, expected a list of arguments")
    return InputTests(
        inputs=tuple(tuple(_with_numbers_as_keys(given)) for given in inputs),
        entry_point=name,
        expected=tuple(_expected(each) for each in outputs),
        oracle=_ACCEPT,
        input_limit=_SECONDS,
        time_limit=_SECONDS * len(inputs),
    )


def _expected(output: Any) -> Any:
    return _with_numbers_as_keys([output] if isinstance(output, dict) else output)


def _with_numbers_as_keys(values: Any) -> Any:
    """Make the keys of a leading dictionary integers again where all are: in JSON they are texts."""
    if not isinstance(values, list) or not values or not isinstance(values[0], dict):
        return values
    try:
        return [{int(key): value for key, value in values[0].items()}]
    except ValueError:
        return values
