"""CRUXEval: what a short function returns, or what it was called with, predicted without running it."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError
from codesample.extraction import Wanted
from codesample.records import InputTests, Problem
from codesample.records.validation import validated
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.cruxeval.assertion_prompts import BASE_HEADERS, CHAT_INSTRUCTIONS, question
from codesample.tasks.cruxeval.cruxeval_facts import cruxeval_facts
from codesample.tasks.cruxeval.predictions import ENTRY_POINT, input_program, output_program
from codesample.tasks.prompt_form import ChatForm

__all__ = ["cruxeval_input", "cruxeval_input_cot", "cruxeval_output", "cruxeval_output_cot"]

_HUB_ID = "cruxeval-org/cruxeval"
_SOURCE = (
    "Gu et al. 2024, CRUXEval: A Benchmark for Code Reasoning, Understanding and Execution, arXiv:2401.03065"
)
_STOP = ("[/ANSWER]", "\n[PYTHON]")
_SECONDS = 3.0
# equality as Python has it: a float counts as another only where it is equal
_EQUAL = "def accept(arguments, result, expected):\n    return result == expected\n"
_CODE = "code"


class _CruxEntry(msgspec.Struct, frozen=True):
    """The fields of the published rows: a function `f`, its arguments and its result, all as Python."""

    id: str
    code: str
    input: str
    output: str


@validated
def cruxeval_output(data: Path | None = None) -> Task:
    """Return output prediction (800); `data` is a copy of `cruxeval.jsonl`."""
    return _task("output", data, in_steps=False)


@validated
def cruxeval_output_cot(data: Path | None = None) -> Task:
    """Return output prediction, asked for step by step; `data` is a copy of `cruxeval.jsonl`."""
    return _task("output", data, in_steps=True)


@validated
def cruxeval_input(data: Path | None = None) -> Task:
    """Return input prediction (800); `data` is a copy of `cruxeval.jsonl`."""
    return _task("input", data, in_steps=False)


@validated
def cruxeval_input_cot(data: Path | None = None) -> Task:
    """Return input prediction, asked for step by step; `data` is a copy of `cruxeval.jsonl`."""
    return _task("input", data, in_steps=True)


def _task(kind: str, data: Path | None, *, in_steps: bool) -> Task:
    def load() -> list[Problem]:
        return [_problem(entry, kind, in_steps) for entry in entries_of(data, _CruxEntry, hub_id=_HUB_ID)]

    # a call of f is asked for, or any value
    name = "f" if kind == "input" else None
    return Task(
        name=f"cruxeval_{kind}_cot" if in_steps else f"cruxeval_{kind}",
        version="1",
        source=_SOURCE,
        stop=_STOP,
        max_new_tokens=1024 if in_steps else 256,
        load=load,
        assemble=completion_alone,
        chat=ChatForm(
            version="assertion-1",
            source="codesample, tasks/cruxeval; tags and gap as in the data set's own prompts",
            ask=lambda problem: CHAT_INSTRUCTIONS[kind, in_steps] + problem.description,
            wanted=lambda problem: Wanted("expression", name=name),
            prefill="" if in_steps else "[ANSWER]\n",
            max_new_tokens=2048 if in_steps else 512,
        ),
        finish=_input_finished if kind == "input" else _output_finished,
        facts=cruxeval_facts(kind, in_steps=in_steps),
    )


def _output_finished(problem: Problem, said: str) -> str:
    return output_program(said)


def _input_finished(problem: Problem, said: str) -> str:
    return input_program(problem.metadata[_CODE], said)


def _problem(entry: Entry[_CruxEntry], kind: str, in_steps: bool) -> Problem:
    record = entry.record
    try:
        expected = ast.literal_eval(record.output)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise DataError(f"{entry.where}: output {record.output!r:.80} is no literal: {error}") from error
    gap = f"assert f({record.input}) == ??" if kind == "output" else f"assert f(??) == {record.output}"
    if fault := _fault_of(record.code):
        raise DataError(f"{entry.where}: {fault}")
    asked, header = question(record.code, gap), BASE_HEADERS[kind, in_steps]
    with entry.naming_faults():
        tests = InputTests(
            inputs=((),),
            entry_point=ENTRY_POINT,
            expected=(expected,),
            oracle=_EQUAL,
            time_limit=_SECONDS,
            input_limit=_SECONDS,
        )
    return Problem(
        task_id=record.id,
        header=header,
        prompt=f"{header}{asked}{'[THOUGHT]' if in_steps else '[ANSWER]'}\n",
        description=asked,
        entry_point=ENTRY_POINT,
        tests=tests,
        reference=f"assert f({record.input}) == {record.output}\n",
        metadata={_CODE: record.code} if kind == "input" else {},
    )


def _fault_of(code: str) -> str:
    """Say why code does not define the function that is asked about; "" where it does."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"code is not Python: {error}"
    if any(isinstance(node, ast.FunctionDef) and node.name == "f" for node in body):
        return ""
    return "code defines no function f"
