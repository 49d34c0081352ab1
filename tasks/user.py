"""A task from a user's own file of problems; the form is described in the tasks' README."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import msgspec

from codesample.data_files import Entry, read_entries
from codesample.decoding import converted
from codesample.errors import DataError
from codesample.records import CallExample, CodeTests, Example, Problem, ScriptExample, ScriptTests, Tests
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.examples import flaw_of, prompt_examples
from codesample.tasks.function_form import STOP, leading_code

__all__ = ["UserEntry", "user_task"]

_T = TypeVar("_T")
_ExampleT = TypeVar("_ExampleT", CallExample, ScriptExample)
_MAX_SECONDS, _MAX_MIB = 86_400, 1 << 20
_PAIR_NAMES = {"call", "expected", "input", "output"}
_FORMS = {"continues_prompt": prompt_then_completion, "is_program": completion_alone}


class UserEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a user's problem, as the tasks' README describes them."""

    task_id: str
    prompt: str
    test: str | None = None
    entry_point: str | None = None
    canonical_solution: str | None = None
    examples: list[Any] | None = None
    stop: tuple[str, ...] | None = None
    completion: str | None = None
    metadata: dict[str, Any] = {}
    io: list[Any] | None = None
    atol: float | None = None
    rtol: float | None = None
    checker: str | None = None
    in_process: bool = False
    time_limit: float | None = None
    memory_mib: int | None = None
    imports: tuple[str, ...] = ()
    scratch_mib: int | None = None


def user_task(path: Path) -> Task:
    """Read the problems of `path` at once and return them as a task named after the file.

    Raises:
        DataError: the file or an entry is malformed; names file and line.
    """
    entries = [_entry(found) for found in read_entries(path, dict)]
    form = _agreed(entries, lambda entry: entry.record.completion, "completion", "continues_prompt")
    if form not in _FORMS:
        raise DataError(f"{path}: completion {form!r}; expected one of {', '.join(_FORMS)}")
    problems = [_problem(entry, continues=form == "continues_prompt") for entry in entries]
    return Task(
        name=path.name.split(".")[0],
        version="file",
        source=str(path),
        stop=_agreed(entries, _stop, "stop", STOP if form == "continues_prompt" else ()),
        max_new_tokens=512,
        load=lambda: problems,
        assemble=_FORMS[form],
    )


def _entry(found: Entry[dict[str, Any]]) -> Entry[UserEntry]:
    """Refuse a field that looks like a misspelt known one; other unknown fields are dropped."""
    known = UserEntry.__struct_fields__
    for name in found.record:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if name not in known and near and near[0] not in found.record:
            raise DataError(f"{found.where}: unknown field {name!r}; did you mean {near[0]!r}?")
    return Entry(converted(found.record, UserEntry, where=found.where), found.where)


def _agreed(
    entries: Sequence[Entry[UserEntry]],
    read: Callable[[Entry[UserEntry]], _T | None],
    field: str,
    default: _T,
) -> _T:
    """Return the one value of a field that must not differ between entries."""
    first: tuple[Entry[UserEntry], _T] | None = None
    for entry in entries:
        value = read(entry)
        if value is None:
            continue
        if first is None:
            first = entry, value
        elif value != first[1]:
            raise DataError(f"{entry.where}: {field} {value!r} differs from {first[1]!r} ({first[0].where})")
    return default if first is None else first[1]


def _stop(entry: Entry[UserEntry]) -> tuple[str, ...] | None:
    if "" in (entry.record.stop or ()):
        raise DataError(f"{entry.where}: stop holds an empty string, which would end every candidate at once")
    return entry.record.stop


def _problem(entry: Entry[UserEntry], *, continues: bool) -> Problem:
    record = entry.record
    if record.entry_point is not None and not record.entry_point.isidentifier():
        raise DataError(f"{entry.where}: entry_point {record.entry_point!r} is not a Python name")
    stub = ""
    if continues and record.entry_point:
        stub = leading_code(record.prompt, record.entry_point, where=entry.where)
    return Problem(
        task_id=record.task_id,
        prompt=record.prompt,
        description=record.prompt,
        entry_point=record.entry_point,
        tests=_tests(entry, stub, _reference(record, continues=continues)),
        examples=_examples(entry),
        reference=record.canonical_solution,
        metadata=record.metadata,
    )


class _Limits(TypedDict):
    time_limit: float | None
    memory: int | None
    imports: tuple[str, ...]
    scratch: int | None


def _limits(entry: Entry[UserEntry]) -> _Limits:
    seconds, mib, imports = entry.record.time_limit, entry.record.memory_mib, entry.record.imports
    scratch = entry.record.scratch_mib
    stated = (("time_limit", seconds, _MAX_SECONDS), ("memory_mib", mib, _MAX_MIB))
    for name, value, most in (*stated, ("scratch_mib", scratch, _MAX_MIB)):
        if value is not None and not 0 < value <= most:
            raise DataError(f"{entry.where}: {name} {value}; expected a number above 0, at most {most}")
    for module in imports:
        if not all(part.isidentifier() for part in module.split(".")):
            raise DataError(f"{entry.where}: imports {module!r}, which is not the name of a module")
    return _Limits(
        time_limit=seconds, memory=mib and mib << 20, imports=imports, scratch=scratch and scratch << 20
    )


def _reference(record: UserEntry, *, continues: bool) -> str | None:
    """Return the program that the solution makes."""
    solution = record.canonical_solution
    return record.prompt + solution if continues and solution is not None else solution


def _tests(entry: Entry[UserEntry], stub: str, reference: str | None) -> Tests:
    record, limits = entry.record, _limits(entry)
    if record.io is not None:
        if record.test is not None or record.in_process:
            raise DataError(f"{entry.where}: io stands alone, without test and in_process")
        cases = _pairs(record.io, ScriptExample, f"{entry.where}, io")
        with Entry(record, f"{entry.where}, io").naming_faults():
            return ScriptTests(
                cases=cases,
                atol=record.atol or 0.0,
                rtol=record.rtol or 0.0,
                checker=record.checker,
                **limits,
            )
    for name in ("atol", "rtol", "checker"):
        if getattr(record, name) is not None:
            raise DataError(f"{entry.where}: {name} says how output is compared, and stands with io alone")
    if record.test is None:
        raise DataError(
            f"{entry.where}: field 'test' is missing; give it, or io for programs that are scripts"
        )
    checked = record.entry_point is not None and "def check(" in record.test
    with entry.naming_faults():
        return CodeTests(
            source=f"{record.test}\n\ncheck({record.entry_point})\n" if checked else record.test,
            entry_point=record.entry_point,
            stub=stub,
            mode="in_process" if record.in_process else "auto",
            reference=reference,
            **limits,
        )


def _examples(entry: Entry[UserEntry]) -> tuple[Example, ...]:
    record, where = entry.record, f"{entry.where}, examples"
    if record.examples is None:
        return prompt_examples(record.prompt, record.entry_point) if record.entry_point else ()
    if record.io is not None:
        return _pairs(record.examples, ScriptExample, where)
    examples = _pairs(record.examples, CallExample, where)
    for flaw in filter(None, map(flaw_of, examples)):
        raise DataError(f"{where}: {flaw}")
    return examples


def _pairs(items: list[Any], kind: type[_ExampleT], where: str) -> tuple[_ExampleT, ...]:
    """Read a list of objects with two texts each."""
    names = ("call", "expected") if issubclass(kind, CallExample) else ("input", "output")
    pairs = []
    for number, item in enumerate(items):
        expected = f"expected objects with {' and '.join(names)}"
        if not isinstance(item, dict):
            raise DataError(f"{where} holds {type(item).__name__}, {expected}")
        if others := item.keys() & _PAIR_NAMES - set(names):
            raise DataError(f"{where}[{number}] holds {' and '.join(sorted(others))}, {expected}")
        pairs.append(converted(item, kind, where=f"{where}[{number}]"))
    return tuple(pairs)
