"""A task from a user's own file of problems; the form is described in the tasks' README."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from codesample.data_files import Entry, read_entries
from codesample.decoding import converted
from codesample.errors import DataError
from codesample.records import CallExample, CodeTests, Example, Problem, ScriptExample, ScriptTests, Tests
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.examples import flaw_of, prompt_examples
from codesample.tasks.function_form import STOP, leading_code
from codesample.tasks.prompt_form import as_it_is
from codesample.tasks.unittest_form import read_suite, refuse_idle_tests
from codesample.tasks.user_chat import CONTINUES, EXPRESSION, WHOLE, user_chat
from codesample.tasks.user_entry import (
    UserEntry,
    defines_check,
    demand_checker,
    demand_python,
    prompt_text,
    read_entry,
    turns,
)

__all__ = ["task_of_entries", "user_task"]

_T = TypeVar("_T")
_ExampleT = TypeVar("_ExampleT", CallExample, ScriptExample)
_MAX_SECONDS, _MAX_MIB = 86_400, 1 << 20
_PAIR_NAMES = {"call", "expected", "input", "output"}
_FORMS = {
    CONTINUES: prompt_then_completion,
    WHOLE: completion_alone,
    EXPRESSION: completion_alone,
}
# what ends a candidate of the base form where the file does not say
_STOPS = {CONTINUES: STOP, WHOLE: (), EXPRESSION: ("\n",)}
_ANSWER = "answer"
_TEXT, _MESSAGES = "a text", "messages"


def user_task(path: Path) -> Task:
    """Read the problems of `path` at once and return them as a task named after the file.

    Raises:
        DataError: the file or an entry is malformed, or there is none; names file and line.
    """
    entries = list(read_entries(path, dict))
    if not entries:
        raise DataError(
            f"{path}: holds no problems; expected a JSON object for each, with at least a task_id, a prompt "
            "and a test"
        )
    return task_of_entries(entries, name=path.name.split(".")[0], source=str(path))


def task_of_entries(found: Sequence[Entry[dict[str, Any]]], *, name: str, source: str) -> Task:
    """Return a task of entries as they stand in a file, wherever they come from.

    Args:
        source: What complaints about all of them begin with, such as the file's path.

    Raises:
        DataError: an entry is malformed, or two of them disagree; names its place.
    """
    entries = [read_entry(each) for each in found]
    texts = _agreed(entries, _kind_of_prompt, "prompt", _TEXT) == _TEXT
    form = _agreed(
        entries, lambda entry: entry.record.completion, "completion", CONTINUES if texts else WHOLE
    )
    if form not in _FORMS:
        raise DataError(f"{source}: completion {form!r}; expected one of {', '.join(_FORMS)}")
    continues = form == CONTINUES
    if continues and not texts:
        raise DataError(f"{source}: completion {form!r}: needs a prompt that is a text, no messages")
    problems = [_problem(entry, form) for entry in entries]
    instruction = _agreed(entries, lambda entry: entry.record.instruction, "instruction", None)
    return Task(
        name=name,
        version="file",
        source=source,
        stop=_agreed(entries, _stop, "stop", _STOPS[form]),
        max_new_tokens=512,
        load=lambda: problems,
        assemble=_FORMS[form],
        chat=user_chat(entries, problems, instruction=instruction, form=form, source=source),
        base=texts,
        finish=_finished if form == EXPRESSION else as_it_is,
    )


def _finished(problem: Problem, expression: str) -> str:
    return _answering(expression)


def _answering(expression: str) -> str:
    """Return the program that gives the name `answer` to the value of an expression."""
    return f"{_ANSWER} = (\n{expression.strip()}\n)\n"


def _kind_of_prompt(entry: Entry[UserEntry]) -> str:
    return _TEXT if prompt_text(entry) is not None else _MESSAGES


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


def _problem(entry: Entry[UserEntry], form: str) -> Problem:
    record = entry.record
    if record.entry_point is not None and not record.entry_point.isidentifier():
        raise DataError(f"{entry.where}: entry_point {record.entry_point!r} is not a Python name")
    messages, text = turns(entry), prompt_text(entry)
    # what a person would read of messages
    prompt = "\n\n".join(each.content for each in messages) if text is None else text
    continues, stub = form == CONTINUES, ""
    if form == EXPRESSION and record.io is not None:
        raise DataError(f"{entry.where}: completion {form!r} stands with test; io judges what is printed")
    if continues and record.entry_point:
        stub = leading_code(prompt, record.entry_point, where=entry.where)
    solution = record.canonical_solution
    reference = solution
    if solution is not None and form != WHOLE:
        reference = prompt + solution if continues else _answering(solution)
    return Problem(
        task_id=record.task_id,
        prompt=prompt,
        description=prompt,
        entry_point=record.entry_point,
        tests=_tests(entry, stub, reference),
        examples=_examples(entry, prompt),
        reference=record.canonical_solution,
        metadata=record.metadata,
        messages=messages,
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


def _tests(entry: Entry[UserEntry], stub: str, reference: str | None) -> Tests:
    record, limits = entry.record, _limits(entry)
    if record.io is not None:
        if record.test is not None or record.in_process:
            raise DataError(f"{entry.where}: io stands alone, without test and in_process")
        cases = _pairs(record.io, ScriptExample, f"{entry.where}, io")
        with Entry(record, f"{entry.where}, io").naming_faults():
            scripts = ScriptTests(
                cases=cases,
                atol=record.atol or 0.0,
                rtol=record.rtol or 0.0,
                checker=record.checker,
                **limits,
            )
        if record.checker is not None:
            demand_checker(record.checker, where=entry.where)
        return scripts
    for name in ("atol", "rtol", "checker"):
        if getattr(record, name) is not None:
            raise DataError(f"{entry.where}: {name} says how output is compared, and stands with io alone")
    if record.test is None:
        raise DataError(
            f"{entry.where}: field 'test' is missing; give it, or io for programs that are scripts"
        )
    demand_python(record.test, "test", where=entry.where)
    suite = read_suite(record.test, where=entry.where)
    checked = record.entry_point is not None and defines_check(record.test, where=entry.where)
    if suite is None and not checked:
        refuse_idle_tests(record.test, where=entry.where)
    source = suite.source if suite else record.test
    with entry.naming_faults():
        return CodeTests(
            source=f"{source}\n\ncheck({record.entry_point})\n" if checked else source,
            checks=suite.checks if suite else (),
            entry_point=record.entry_point,
            stub=stub,
            mode="in_process" if record.in_process else "auto",
            reference=reference,
            **limits,
        )


def _examples(entry: Entry[UserEntry], prompt: str) -> tuple[Example, ...]:
    record, where = entry.record, f"{entry.where}, examples"
    if record.examples is None:
        return prompt_examples(prompt, record.entry_point) if record.entry_point else ()
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
