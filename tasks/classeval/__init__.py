"""ClassEval: 100 classes to write from a skeleton, judged by unittest classes for each method."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError
from codesample.extraction import Wanted
from codesample.records import CodeTests, Problem
from codesample.records.validation import validated
from codesample.tasks.classeval.classeval_facts import CLASSEVAL_FACTS
from codesample.tasks.contract import Task
from codesample.tasks.needed_packages import needed_packages, writes_files
from codesample.tasks.prompt_form import FENCE, FENCE_END, ChatForm
from codesample.tasks.script_form import STARTER
from codesample.tasks.unittest_form import read_suite

__all__ = ["classeval"]

_HUB_ID, _HUB_SPLIT = "FudanSELab/ClassEval", "test"
_MAX_NEW_TOKENS = 2048
_FILES = 16 << 20
_ASKED = (
    "Write the Python class below in full: keep its name and its methods, and give each method the body that "
    "its docstring asks for."
)
_HEADER = f"{_ASKED}\n\n"
_BASE = "{header}{fence}{skeleton}\n```\n\nThe class in full:\n\n{fence}{begun}"
_CHAT = (
    f"{_ASKED} Answer with the complete code, imports included, in one Markdown block of Python.\n\n"
    "```python\n{text}\n```\n"
)


class _Published(msgspec.Struct, frozen=True):
    """The fields of `ClassEval_data.json` that are used."""

    task_id: str
    skeleton: str
    test: str
    solution_code: str
    import_statement: tuple[str, ...]
    class_name: str
    test_classes: tuple[str, ...]


@validated
def classeval(data: Path | None = None) -> Task:
    """Return the task, each class written as a whole; `data` is `ClassEval_data.json` or a copy."""

    def load() -> Sequence[Problem]:
        return [_problem(entry) for entry in entries_of(data, _Published, hub_id=_HUB_ID, split=_HUB_SPLIT)]

    return Task(
        name="classeval",
        version="1",
        source="Du et al. 2023, ClassEval, arXiv:2308.01861",
        stop=(FENCE_END,),
        max_new_tokens=_MAX_NEW_TOKENS,
        load=load,
        assemble=lambda problem, completion: _begun(problem) + completion,
        chat=ChatForm(
            version="classeval-1",
            source="own wording; asks for what ClassEval's holistic strategy does (arXiv:2308.01861)",
            ask=lambda problem: _CHAT.format(text=problem.description.strip("\n")),
            wanted=lambda problem: Wanted("class", name=problem.entry_point, prompt=_begun(problem)),
            max_new_tokens=_MAX_NEW_TOKENS,
        ),
        finish=_with_imports,
        facts=CLASSEVAL_FACTS,
    )


def _begun(problem: Problem) -> str:
    return str(problem.metadata[STARTER])


def _with_imports(problem: Problem, program: str) -> str:
    """Put the skeleton's imports before a program that did not grow out of them."""
    begun = _begun(problem)
    imports = begun[: begun.rindex("class ")]
    return program if program.startswith(begun) or not imports else imports + program


def _problem(entry: Entry[_Published]) -> Problem:
    record = entry.record
    imports = "".join(f"{line}\n" for line in record.import_statement)
    head, body = _split(record.solution_code, record.class_name, entry.where)
    begun = f"{imports}\n{head}\n" if imports else f"{head}\n"
    try:
        modules = needed_packages(begun + body, record.test)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{entry.where}: the solution or the tests are not Python: {error}") from error
    classes = tuple(dict.fromkeys(name.strip() for name in record.test_classes))
    if not classes:
        raise DataError(f"{entry.where}: no test class is named in test_classes")
    suite = read_suite(record.test, where=entry.where, only=classes)
    assert suite is not None, "classes that were asked for are found or refused"
    with entry.naming_faults():
        tests = CodeTests(
            source=suite.source,
            checks=suite.checks,
            entry_point=record.class_name,
            imports=modules,
            scratch=_FILES if writes_files(record.solution_code, record.test) else None,
            reference=begun + body,
        )
    skeleton = record.skeleton.strip("\n")
    return Problem(
        task_id=record.task_id,
        prompt=_BASE.format(header=_HEADER, fence=FENCE, skeleton=skeleton, begun=begun),
        header=_HEADER,
        description=skeleton,
        entry_point=record.class_name,
        # what the docstrings show are steps with objects, no calls of one function
        examples=(),
        tests=tests,
        reference=body,
        metadata={STARTER: begun},
    )


def _split(code: str, name: str, where: str) -> tuple[str, str]:
    """Part a solution behind the line that opens the class."""
    opened = re.search(rf"^class {re.escape(name)}\b.*$", code, re.MULTILINE)
    if opened is None:
        raise DataError(f"{where}: solution_code defines no class {name!r}")
    return opened[0].rstrip(), code[opened.end() :].lstrip("\n")
