"""A conformance kit for tasks: what a data set owes to prompts, programs, run folders and rerankers.

Each check raises TaskError where a promise is broken; `check_task` makes them all. No program is run: whether
references pass, `codesample tasks verify` tells.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import NoReturn

from codesample.errors import DataError, TaskError
from codesample.records import (
    CallExample,
    CodeTests,
    Example,
    InputTests,
    Problem,
    PublicView,
    ScriptExample,
    ScriptTests,
)
from codesample.records.short import spelt
from codesample.records.validation import validated
from codesample.tasks.contract import Task
from codesample.tasks.examples import flaw_of

__all__ = [
    "MakeTask",
    "check_fingerprint",
    "check_problems",
    "check_public_view",
    "check_references",
    "check_task",
]

MakeTask = Callable[[], Task]

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


@validated
def check_task(make_task: MakeTask, *, shows_tests: bool = False) -> None:
    """Make the task twice and check that both are equal, and one of them in every other way.

    Args:
        make_task: Makes the task anew, such as `lambda: load_task("mine", data=path)`.
        shows_tests: As for `check_public_view`.

    Raises:
        TaskError: a promise is broken; names the task and the problem.
    """
    task, again = make_task(), make_task()
    check_problems(task)
    check_fingerprint(task, again)
    check_references(task)
    check_public_view(task, shows_tests=shows_tests)


@validated
def check_problems(task: Task) -> None:
    """Problems are valid and unique, and hold plain data; prompts begin with their header and go on.

    Raises:
        TaskError: they are not.
    """
    problems = _problems(task)
    if not task.name or not task.version or task.max_new_tokens < 1:
        raise TaskError(f"task {task.name!r}: needs a name, a version and room for at least one token")
    if not all(isinstance(stop, str) and stop for stop in task.stop):
        raise TaskError(f"task {task.name!r}: stop {task.stop!r}; expected strings that are not empty")
    for problem in problems:
        if not problem.prompt.removeprefix(problem.header):
            _refuse(task, problem, "its prompt is the header alone")
        for example in problem.examples:
            if not isinstance(example, Example) or type(example) is Example:
                _refuse(task, problem, f"example {example!r} is no kind of them; CallExample is one")
            if flaw := flaw_of(example):
                _refuse(task, problem, f"an example cannot be run: {flaw}")
        try:
            kept = json.loads(json.dumps(problem.metadata))
        except (TypeError, ValueError) as error:
            _refuse(task, problem, f"its metadata are no plain JSON data: {error}")
        if kept != problem.metadata:
            _refuse(task, problem, "its metadata change when they are saved as JSON")


@validated
def check_fingerprint(task: Task, again: Task) -> None:
    """Problems and fingerprint are the same at every reading, in this process and in others.

    Args:
        again: The same task, made anew.

    Raises:
        TaskError: they differ, or the fingerprint rests on a value whose text need not be the same in
            another process.
    """
    differs = "differs from one reading of the data to the next"
    for problem in _problems(task):
        for field in fields(problem.tests):
            for value in _unstable(getattr(problem.tests, field.name)):
                held = f"tests.{field.name} holds a {type(value).__name__}"
                _refuse(task, problem, f"{held}, whose text differs between processes")
    problems, others = _problems(task), _problems(again)
    if len(problems) != len(others):
        raise TaskError(
            f"task {task.name!r}: has {len(problems)} problems at one reading, then {len(others)}"
        )
    for before, after in zip(problems, others, strict=True):
        # by the text of every field, as in the fingerprint: NaN is not equal to itself
        if any(
            spelt(getattr(before, each.name)) != spelt(getattr(after, each.name)) for each in fields(before)
        ):
            _refuse(task, before, differs)
    if task.fingerprint() != again.fingerprint():
        raise TaskError(f"task {task.name!r}: its fingerprint {differs}")


@validated
def check_references(task: Task) -> None:
    """A reference makes a program that is Python, defines the entry point, and is cut by no stop string.

    Raises:
        TaskError: one does not; references are not run.
    """
    for problem in _problems(task):
        if problem.reference is None:
            continue
        for stop in task.stop:
            if stop in problem.reference.rstrip():
                _refuse(task, problem, f"the stop string {stop!r} would cut its reference")
        try:
            tree = _parsed(task.program(problem, problem.reference))
        except (SyntaxError, ValueError, TypeError) as error:
            _refuse(task, problem, f"its reference makes no Python program: {error}")
        if problem.entry_point is not None and problem.entry_point not in _defined(tree):
            _refuse(task, problem, f"the program of its reference defines no {problem.entry_point!r}")


@validated
def check_public_view(task: Task, *, shows_tests: bool = False) -> None:
    """No public view shows a hidden test, and none is among the public examples.

    Args:
        shows_tests: The data set's own prompts show the hidden tests, as MBPP's do; only the examples are
            then looked at.

    Raises:
        TaskError: one does; names the problem and the test.
    """
    for problem in _problems(task):
        view = PublicView.of(task.name, problem)
        hidden = {*_hidden_examples(problem)}
        for example in view.examples:
            if _spelt(example) in hidden:
                _refuse(task, problem, f"the public example {example!r} is a hidden test")
        if shows_tests:
            continue
        shown = "\n".join([view.prompt, view.description, *map(repr, view.examples)])
        for text in _hidden_texts(problem):
            if text.strip() in shown:
                _refuse(task, problem, f"its public view shows the hidden test {text.strip()!r}")


def _hidden_texts(problem: Problem) -> Iterator[str]:
    """Yield pieces of the hidden tests that no public view may hold."""
    match problem.tests:
        case CodeTests(source=source, checks=checks):
            yield from (ast.get_source_segment(source, node) or source for node in _asserts(problem, source))
            yield from checks
        case InputTests(reference=reference, oracle=oracle):
            if reference:
                yield reference
            if oracle is not None:
                yield oracle
        case ScriptTests(checker=str(checker)):
            yield checker


def _hidden_examples(problem: Problem) -> Iterator[tuple[str, str]]:
    """Yield what hidden tests compare, in the form of `_spelt`."""
    match problem.tests:
        case CodeTests(source=source, checks=checks):
            for text in (source, *checks):
                for node in _asserts(problem, text):
                    match node.test:
                        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                            yield ast.unparse(left), ast.unparse(right)
        case InputTests(inputs=inputs, entry_point=name, expected=tuple(expected)):
            for arguments, result in zip(inputs, expected, strict=True):
                yield f"{name}({', '.join(map(repr, arguments))})", repr(result)
        case ScriptTests(cases=cases):
            yield from map(_spelt, cases)


def _spelt(example: Example) -> tuple[str, str]:
    """Return an example as texts that are equal where it is."""
    match example:
        case CallExample(call=call, expected=expected):
            return ast.unparse(_parsed(f"({call})")), ast.unparse(_parsed(f"({expected})"))
        case ScriptExample(input=read, output=printed):
            return read, printed
    return repr(example), ""


def _asserts(problem: Problem, source: str) -> list[ast.Assert]:
    try:
        return [node for node in ast.walk(_parsed(source)) if isinstance(node, ast.Assert)]
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"problem {problem.task_id!r}: its tests are not Python: {error}") from error


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that a module's statements bind."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.alias(asname=str(name)) | ast.alias(name=name):
                names.add(name)
    return names


def _unstable(value: object) -> Iterator[object]:
    """Yield what a value holds whose text may be another in another process: sets of texts, objects."""
    if isinstance(value, dict):
        yield from _unstable_in((*value.keys(), *value.values()))
    elif isinstance(value, list | tuple):
        yield from _unstable_in(value)
    elif isinstance(value, set | frozenset):
        if len(value) > 1 and not all(isinstance(each, int | float) for each in value):
            yield value
    elif isinstance(value, ScriptExample):
        yield from _unstable_in((value.input, value.output))
    elif not isinstance(value, _PLAIN):
        yield value


def _unstable_in(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        yield from _unstable(value)


def _problems(task: Task) -> tuple[Problem, ...]:
    try:
        return tuple(task.problems())
    except DataError as error:
        raise TaskError(f"task {task.name!r}: {error}") from error


def _parsed(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # data sets hold escapes such as "\\d" outside raw strings
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return ast.parse(source)


def _refuse(task: Task, problem: Problem, complaint: str) -> NoReturn:
    raise TaskError(f"task {task.name!r}, problem {problem.task_id!r}: {complaint}")
