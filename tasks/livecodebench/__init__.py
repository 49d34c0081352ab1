"""LiveCodeBench, code generation: contest problems by their date, judged by packed private tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from codesample.data_files import Entry, hub_file, read_entries
from codesample.errors import DataError, ParameterError
from codesample.records import Example, InputTests, Problem, ScriptExample, ScriptTests, Tests
from codesample.records.validation import validated
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.given_names import GivenNames, as_script, with_method_as_function
from codesample.tasks.livecodebench.errata import ERRATA
from codesample.tasks.livecodebench.livecodebench_facts import livecodebench_facts
from codesample.tasks.livecodebench.packed_tests import unpacked_text
from codesample.tasks.livecodebench.worked_examples import FUNCTION_HEADER, SCRIPT_HEADER
from codesample.tasks.output_checkers import LIVECODEBENCH_CHECKER
from codesample.tasks.script_form import STARTER, Unjudgeable, call_example, contest_chat, judgeable

__all__ = [
    "livecodebench",
    "livecodebench_v1",
    "livecodebench_v2",
    "livecodebench_v3",
    "livecodebench_v4",
    "livecodebench_v5",
    "livecodebench_v6",
]

_HUB_ID = "livecodebench/code_generation_lite"
_FILES = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
_SOURCE = "Jain et al. 2024, LiveCodeBench: Holistic and Contamination Free Evaluation, arXiv:2403.07974"
_SECONDS, _BYTES = 6.0, 1 << 30
_MODULES = (
    "string, re, datetime, collections, heapq, bisect, copy, math, random, statistics, itertools, functools, "
    "operator, io, sys, json"
)
_STARS = [*_MODULES.split(", "), "builtins", "typing"]
_GIVEN = GivenNames(
    "".join(f"from {name} import *\n" for name in _STARS) + f"import {_MODULES}\n",
    first="import sys; sys.setrecursionlimit(50000)",
)
_ACCEPT = """
def accept(arguments, result, expected):
    return (list(result) if isinstance(result, tuple) else result) == expected
"""


class _LcbEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the published rows; of the tests, JSON text or lists, the private ones also packed."""

    question_title: str
    question_content: str
    platform: str
    question_id: str
    contest_id: str
    contest_date: Any
    difficulty: str
    public_test_cases: Any
    private_test_cases: Any
    starter_code: str = ""
    metadata: Any = "{}"


class _Case(msgspec.Struct, frozen=True):
    """One test; what it means depends on the problem."""

    input: str
    output: str
    testtype: str = "stdin"


@validated
def livecodebench_v1(data: Path | None = None) -> Task:
    """Return release_v1: 400 problems, May 2023 to March 2024; `data` as for `livecodebench`."""
    return _release(1, data)


@validated
def livecodebench_v2(data: Path | None = None) -> Task:
    """Return release_v2: 511 problems, May 2023 to May 2024; `data` as for `livecodebench`."""
    return _release(2, data)


@validated
def livecodebench_v3(data: Path | None = None) -> Task:
    """Return release_v3: 612 problems, May 2023 to July 2024; `data` as for `livecodebench`."""
    return _release(3, data)


@validated
def livecodebench_v4(data: Path | None = None) -> Task:
    """Return release_v4: 713 problems, May 2023 to September 2024; `data` as for `livecodebench`."""
    return _release(4, data)


@validated
def livecodebench_v5(data: Path | None = None) -> Task:
    """Return release_v5: 880 problems, May 2023 to January 2025; `data` as for `livecodebench`."""
    return _release(5, data)


@validated
def livecodebench_v6(data: Path | None = None) -> Task:
    """Return release_v6: 1,055 problems, May 2023 to April 2025; `data` as for `livecodebench`."""
    return _release(6, data)


def _release(number: int, data: Path | None) -> Task:
    return livecodebench(data, release=number, name=f"livecodebench_v{number}")


@validated
def livecodebench(
    data: Path | None = None,
    *,
    release: int = len(_FILES),
    since: date | None = None,
    until: date | None = None,
    name: str = "livecodebench",
) -> Task:
    """Return the problems of a release, or those of some contests' dates.

    Args:
        data: A file of the published rows, all of which are taken; or a folder that holds the published
            files, of which those of the release are.
        release: release_v1 is the first published file, each later one has one file more. 1 to 6.
        since, until: First and last date of the contests; None for no bound. Problems of others are not
            unpacked.
        name: The task's.

    Raises:
        ParameterError: no such release, or dates in the wrong order.
    """
    if not 1 <= release <= len(_FILES):
        raise ParameterError(f"release = {release}: expected 1 to {len(_FILES)}")
    if since is not None and until is not None and since > until:
        raise ParameterError(f"since = {since} is after until = {until}")
    left_out: dict[str, str] = {}
    dates = f", {since or 'start'} to {until or 'end'}" if since or until else ""

    def within(entry: Entry[_LcbEntry]) -> bool:
        day = _date(entry)
        return (since is None or day >= since) and (until is None or day <= until)

    def load() -> list[Problem]:
        return judgeable(filter(within, _entries(data, _FILES[:release])), _task_id, _problem, left_out)

    return Task(
        name=name,
        version=f"1 (release_v{release}{dates})",
        source=_SOURCE,
        stop=("\n### Question",),
        max_new_tokens=2000,
        load=load,
        assemble=completion_alone,
        chat=contest_chat(source="codesample, tasks/livecodebench", max_new_tokens=4096),
        finish=_finished,
        left_out=left_out,
        facts=livecodebench_facts(release, _FILES[:release]),
    )


def _finished(problem: Problem, program: str) -> str:
    if isinstance(problem.tests, ScriptTests):
        return _GIVEN.before(as_script(program))
    return _GIVEN.before(with_method_as_function(program, problem.entry_point or ""))


def _entries(data: Path | None, files: tuple[str, ...]) -> Iterator[Entry[_LcbEntry]]:
    if data is None:
        # all are looked for before the first is read, which takes long
        paths = [hub_file(_HUB_ID, name) for name in files]
    elif Path(data).is_dir():
        paths = [Path(data) / name for name in files]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise DataError(f"{data}: holds no {', '.join(missing)}; this release is {', '.join(files)}")
    else:
        paths = [Path(data)]
    for path in paths:
        yield from read_entries(path, _LcbEntry)


def _task_id(entry: Entry[_LcbEntry]) -> str:
    return entry.record.question_id


def _date(entry: Entry[_LcbEntry]) -> date:
    stated = entry.record.contest_date
    try:
        return date.fromisoformat(str(stated)[:10])
    except ValueError:
        raise DataError(
            f"{entry.where}: contest_date {stated!r}; expected such as 2023-08-21T00:00:00"
        ) from None


def _problem(entry: Entry[_LcbEntry], task_id: str) -> Problem:
    record = entry.record
    facts = _read(entry, "metadata", dict, lambda value: value)
    name = facts.get("func_name") or None
    public = _read(entry, "public_test_cases", list, _cases)
    private = _read(entry, "private_test_cases", list, _cases)
    kind = "functional" if name else "stdin"
    for case in (*public, *private):
        if case.testtype != kind:
            raise Unjudgeable(f"a test is of type {case.testtype!r}, expected {kind!r} as its metadata say")
    shown = {(case.input, case.output) for case in public}
    hidden = [case for case in private if (case.input, case.output) not in shown]
    if not hidden and not public:
        raise Unjudgeable("it has no tests")
    try:
        examples = tuple(_example(name, case) for case in public)
        tests = _function(name, hidden or public) if name else _script(hidden or public)
    except (ValueError, RecursionError) as error:
        raise Unjudgeable(f"a test cannot be read: {error}") from error
    header, starter = (FUNCTION_HEADER if name else SCRIPT_HEADER), record.starter_code
    code = f"### Starter Code\n{starter}\n\n" if starter else ""
    return Problem(
        task_id=task_id,
        header=header,
        prompt=f"{header}### Question\n{record.question_content}\n\n{code}### Answer\n\n",
        description=record.question_content,
        entry_point=name,
        # public tests that have to judge are no examples any more
        examples=examples if hidden else (),
        tests=tests,
        metadata={
            "title": record.question_title,
            "platform": record.platform,
            "difficulty": record.difficulty,
            "contest": record.contest_id,
            "date": _date(entry).isoformat(),
            "erratum": ERRATA.get(task_id) or ERRATA.get(record.question_title, ""),
            "judged_by": "hidden tests" if hidden else "public tests alone",
            STARTER: starter,
        },
    )


def _read(entry: Entry[_LcbEntry], field: str, kind: type[Any], made: Callable[[Any], Any]) -> Any:
    """Read a field that holds JSON, or is packed, or was read already."""
    value = getattr(entry.record, field)
    try:
        if isinstance(value, str):
            text = value if value.lstrip()[:1] in ("[", "{") else unpacked_text(value)
            value = json.loads(text)
        if not isinstance(value, kind):
            raise ValueError(f"it holds {type(value).__name__}, expected {kind.__name__}")
        return made(value)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise DataError(f"{entry.where}, {field}: {error}") from error


def _cases(values: Any) -> list[_Case]:
    return msgspec.convert(values, list[_Case])


def _script(cases: list[_Case]) -> Tests:
    return ScriptTests(
        cases=tuple(ScriptExample(case.input, case.output) for case in cases),
        checker=LIVECODEBENCH_CHECKER,
        time_limit=_SECONDS,
        memory=_BYTES,
    )


def _function(name: str, cases: list[_Case]) -> Tests:
    return InputTests(
        inputs=tuple(_arguments(case) for case in cases),
        entry_point=name,
        expected=tuple(json.loads(case.output) for case in cases),
        oracle=_ACCEPT,
        input_limit=_SECONDS,
        time_limit=_SECONDS * len(cases),
        memory=_BYTES,
    )


def _arguments(case: _Case) -> tuple[Any, ...]:
    """Return the arguments that an input states, a JSON value a line; the last may end or not."""
    return tuple(json.loads(line) for line in case.input.rstrip("\r\n").split("\n"))


def _example(name: str | None, case: _Case) -> Example:
    if name is None:
        return ScriptExample(case.input, case.output)
    return call_example(name, _arguments(case), json.loads(case.output))
