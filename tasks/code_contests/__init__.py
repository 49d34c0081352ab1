"""CodeContests: competition problems with public, private and generated tests of what a program prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError, ParameterError
from codesample.records import Problem, ScriptExample, ScriptTests
from codesample.records.validation import validated
from codesample.tasks.code_contests.code_contests_facts import code_contests_facts
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.output_checkers import CODE_CONTESTS_CHECKER
from codesample.tasks.script_form import Unjudgeable, contest_chat, judgeable

__all__ = ["code_contests", "code_contests_valid"]

_HUB_ID = "deepmind/code_contests"
_SOURCE = "Li et al. 2022, Competition-Level Code Generation with AlphaCode, arXiv:2203.07814"
# of the data set's own tool; contests state limits for compiled languages, often below
_LEAST_SECONDS, _LEAST_BYTES = 10.0, 256 << 20
_PYTHON_3 = 3
_PYTHON_3_NAMES = (_PYTHON_3, "PYTHON3")
_SOURCES = ("unknown", "codechef", "codeforces", "hackerearth", "codejam", "unknown", "atcoder", "aizu")


class _Cases(msgspec.Struct, frozen=True):
    """Inputs and outputs, in two lists of one length."""

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class _Solutions(msgspec.Struct, frozen=True):
    """Languages and texts, in two lists of one length."""

    language: tuple[int | str, ...] = ()
    solution: tuple[str, ...] = ()


class _Limit(msgspec.Struct, frozen=True):
    """A time, in seconds and billionths of them."""

    seconds: int = 0
    nanos: int = 0


class _ContestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the hub's rows that are used."""

    name: str
    description: str
    public_tests: _Cases = _Cases()
    private_tests: _Cases = _Cases()
    generated_tests: _Cases = _Cases()
    solutions: _Solutions = _Solutions()
    source: int | str = 0
    difficulty: int | str = 0
    cf_rating: int = 0
    cf_tags: tuple[str, ...] = ()
    time_limit: _Limit | None = None
    memory_limit_bytes: int = 0
    input_file: str = ""
    output_file: str = ""


@validated
def code_contests(data: Path | None = None) -> Task:
    """Return the test split (165 problems); `data` is a file of rows of the data set."""
    return _task("code_contests", data, split="test")


@validated
def code_contests_valid(data: Path | None = None) -> Task:
    """Return the validation split (117 problems); `data` as for `code_contests`."""
    return _task("code_contests_valid", data, split="valid")


def _task(name: str, data: Path | None, *, split: str) -> Task:
    left_out: dict[str, str] = {}
    return Task(
        name=name,
        version="1",
        source=_SOURCE,
        stop=("\nPROBLEM:",),
        max_new_tokens=2048,
        load=lambda: judgeable(_entries(data, split), _Names(), _problem, left_out),
        assemble=completion_alone,
        chat=contest_chat(source="codesample, tasks/code_contests", max_new_tokens=2048),
        left_out=left_out,
        facts=code_contests_facts("test" if split == "test" else "validation"),
    )


def _entries(data: Path | None, split: str) -> Iterator[Entry[_ContestEntry]]:
    return entries_of(data, _ContestEntry, hub_id=_HUB_ID, split=split)


class _Names:
    """Names problems, and tells those apart that two contests call alike."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def __call__(self, entry: Entry[_ContestEntry]) -> str:
        name = entry.record.name
        times = self._seen[name] = self._seen.get(name, 0) + 1
        return name if times == 1 else f"{name} #{times}"


def _problem(entry: Entry[_ContestEntry], task_id: str) -> Problem:
    record = entry.record
    if record.input_file or record.output_file:
        names = " and ".join(filter(None, (record.input_file, record.output_file)))
        raise Unjudgeable(f"its programs read or write files ({names}), not standard input and output")
    public = _cases(entry, "public_tests")
    shown = set(public)
    hidden = [
        case
        for case in dict.fromkeys((*_cases(entry, "private_tests"), *_cases(entry, "generated_tests")))
        if case not in shown
    ]
    if not hidden and not public:
        raise Unjudgeable("it has no tests")
    limit = record.time_limit or _Limit()
    seconds = limit.seconds + limit.nanos / 1e9
    try:
        tests = ScriptTests(
            cases=tuple(hidden or public),
            checker=CODE_CONTESTS_CHECKER,
            time_limit=max(_LEAST_SECONDS, seconds),
            memory=max(_LEAST_BYTES, record.memory_limit_bytes),
        )
    except ParameterError as error:
        raise Unjudgeable(str(error)) from error
    return Problem(
        task_id=task_id,
        prompt=f"PROBLEM:\n{record.description.strip()}\n\nPYTHON PROGRAM:\n",
        description=record.description.strip(),
        # public tests that have to judge are no examples any more
        examples=public if hidden else (),
        tests=tests,
        reference=_reference(record.solutions),
        metadata=_facts(record, seconds, judged_by="hidden tests" if hidden else "public tests alone"),
    )


def _cases(entry: Entry[_ContestEntry], field: str) -> tuple[ScriptExample, ...]:
    cases: _Cases = getattr(entry.record, field)
    if len(cases.input) != len(cases.output):
        raise DataError(
            f"{entry.where}: {field} holds {len(cases.input)} inputs and {len(cases.output)} outputs"
        )
    return tuple(dict.fromkeys(map(ScriptExample, cases.input, cases.output)))


def _reference(solutions: _Solutions) -> str | None:
    """Return the first solution in Python 3; most problems have some, beside those in other languages."""
    pairs = zip(solutions.language, solutions.solution, strict=False)
    return next((text for language, text in pairs if language in _PYTHON_3_NAMES), None)


def _facts(record: _ContestEntry, seconds: float, *, judged_by: str) -> dict[str, Any]:
    source = record.source
    known = isinstance(source, int) and 0 <= source < len(_SOURCES)
    return {
        "source": _SOURCES[int(source)] if known else str(source).lower(),
        "difficulty": record.difficulty,
        "cf_rating": record.cf_rating,
        "cf_tags": list(record.cf_tags),
        "stated_seconds": seconds,
        "stated_memory_bytes": record.memory_limit_bytes,
        "judged_by": judged_by,
    }
