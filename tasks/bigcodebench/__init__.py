"""BigCodeBench: 1,140 functions that use many libraries, judged by unittest classes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError
from codesample.extraction import Wanted
from codesample.records import CodeTests, Problem
from codesample.records.validation import validated
from codesample.tasks.bigcodebench.bigcodebench_facts import bigcodebench_facts
from codesample.tasks.contract import Task, completion_alone, prompt_then_completion
from codesample.tasks.examples import prompt_examples
from codesample.tasks.needed_packages import needed_packages, writes_files
from codesample.tasks.prompt_form import FENCE_END, ChatForm
from codesample.tasks.script_form import STARTER
from codesample.tasks.unittest_form import read_suite

__all__ = [
    "bigcodebench",
    "bigcodebench_hard",
    "bigcodebench_hard_instruct",
    "bigcodebench_instruct",
]

_HUB_IDS = {"full": "bigcode/bigcodebench", "hard": "bigcode/bigcodebench-hard"}
_HUB_SPLIT = "v0.1.4"
_MOST_HARD = 148
_CASE = "TestCases"
_STOP = ("\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert ", "\nif __name__", "\nprint(")
_MAX_NEW_TOKENS = 1280
_SECONDS, _MEMORY, _FILES = 60.0, 2 << 30, 64 << 20
_COMPLETE = (
    "Complete the Python function below so that it does what its docstring says. Answer with the complete "
    "code, imports and signature included, in one Markdown block of Python.\n\n```python\n{text}\n```\n"
)
_SOLVE = (
    "Write self-contained Python code that solves the problem below. Answer with the complete code, imports "
    "included, in one Markdown block of Python.\n\n{text}\n"
)


class _Published(msgspec.Struct, frozen=True):
    """The fields of `BigCodeBench.jsonl`."""

    task_id: str
    complete_prompt: str
    instruct_prompt: str
    canonical_solution: str
    code_prompt: str
    test: str
    entry_point: str
    libs: str


@validated
def bigcodebench(data: Path | None = None) -> Task:
    """Return all problems, asked by signature and docstring; `data` is `BigCodeBench.jsonl` or a copy."""
    return _task("full", data, instruct=False)


@validated
def bigcodebench_instruct(data: Path | None = None) -> Task:
    """Return all problems, asked in words; `data` as for `bigcodebench`."""
    return _task("full", data, instruct=True)


@validated
def bigcodebench_hard(data: Path | None = None) -> Task:
    """Return the hard part by signature and docstring; `data` is `BigCodeBench-Hard.jsonl` or a copy."""
    return _task("hard", data, instruct=False)


@validated
def bigcodebench_hard_instruct(data: Path | None = None) -> Task:
    """Return the hard part, asked in words; `data` as for `bigcodebench_hard`."""
    return _task("hard", data, instruct=True)


def _task(part: str, data: Path | None, *, instruct: bool) -> Task:
    hub_id = _HUB_IDS[part]

    def load() -> Sequence[Problem]:
        entries = list(entries_of(data, _Published, hub_id=hub_id, split=_HUB_SPLIT))
        if part == "hard" and len(entries) > _MOST_HARD:
            raise DataError(
                f"{data or hub_id}: holds {len(entries)} entries, the hard part {_MOST_HARD}; give the "
                "file of the hard part, or take the task without _hard in its name"
            )
        return [_problem(entry, instruct=instruct) for entry in entries]

    words = ("bigcodebench", *(["hard"] if part == "hard" else []), *(["instruct"] if instruct else []))
    return Task(
        name="_".join(words),
        version="1",
        source="Zhuo et al. 2024, BigCodeBench, arXiv:2406.15877",
        stop=(FENCE_END,) if instruct else _STOP,
        max_new_tokens=_MAX_NEW_TOKENS,
        load=load,
        assemble=completion_alone if instruct else prompt_then_completion,
        chat=_chat("instruct" if instruct else "complete", _SOLVE if instruct else _COMPLETE),
        finish=_calibrated,
        base=not instruct,
        facts=bigcodebench_facts(part, instruct=instruct),
    )


def _chat(name: str, wording: str) -> ChatForm:
    return ChatForm(
        version=f"bigcodebench-{name}-1",
        source="own wording; asks for what BigCodeBench asks for (arXiv:2406.15877)",
        ask=lambda problem: wording.format(text=problem.prompt.strip("\n")),
        wanted=lambda problem: Wanted("function", name=problem.entry_point, prompt=_starter(problem)),
        max_new_tokens=_MAX_NEW_TOKENS,
    )


def _starter(problem: Problem) -> str:
    return str(problem.metadata[STARTER])


def _calibrated(problem: Problem, program: str) -> str:
    """Put imports and signature before a program that did not grow out of them, as the published grader does.

    A model that leaves out an import of the prompt is not judged for that.
    """
    if program.startswith(problem.prompt):
        return program
    return f"{_starter(problem).rstrip()}\n    pass\n\n{program}"


def _problem(entry: Entry[_Published], *, instruct: bool) -> Problem:
    record = entry.record
    whole = record.complete_prompt + record.canonical_solution
    try:
        modules = needed_packages(whole, record.test)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{entry.where}: the solution or the tests are not Python: {error}") from error
    suite = read_suite(record.test, where=entry.where, only=(_CASE,))
    assert suite is not None, "a class that was asked for is found or refused"
    with entry.naming_faults():
        tests = CodeTests(
            source=suite.source,
            checks=suite.checks,
            entry_point=record.entry_point,
            time_limit=_SECONDS,
            memory=_MEMORY,
            imports=modules,
            scratch=_FILES if writes_files(whole, record.test) else None,
        )
    solution = record.code_prompt + record.canonical_solution if instruct else record.canonical_solution
    return Problem(
        task_id=record.task_id,
        prompt=record.instruct_prompt if instruct else record.complete_prompt,
        description=record.instruct_prompt,
        entry_point=record.entry_point,
        examples=() if instruct else prompt_examples(record.complete_prompt, record.entry_point),
        tests=tests,
        reference=solution,
        metadata={STARTER: record.code_prompt, "libs": _libs(entry)},
    )


def _libs(entry: Entry[_Published]) -> list[str]:
    """Return the libraries that the data name, a list in a text."""
    try:
        libs = ast.literal_eval(entry.record.libs)
    except (SyntaxError, ValueError):
        libs = None
    if not isinstance(libs, list) or not all(isinstance(each, str) for each in libs):
        raise DataError(f"{entry.where}: libs {entry.record.libs!r}; expected a list of names in a text")
    return libs
