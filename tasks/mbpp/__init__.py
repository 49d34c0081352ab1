"""MBPP: entry-level problems in one sentence and three asserts, asked in the published three-shot form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError
from codesample.records import CodeTests, Problem
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.mbpp.asserts import function_asked_for, modules_relied_on

__all__ = ["mbpp", "mbpp_sanitized"]

_HUB_ID = "google-research-datasets/mbpp"
_SOURCE = "Austin et al. 2021, Program Synthesis with Large Language Models, arXiv:2108.07732"
_STOP = ("[DONE]",)
_SHOTS = (2, 3, 4)
_TEST_IDS = range(11, 511)
_QUESTION = (
    "You are an expert Python programmer, and here is your task: {text} "
    "Your code should pass these tests:\n\n{tests}\n[BEGIN]\n"
)


class _FullEntry(msgspec.Struct, frozen=True):
    """The fields of `mbpp.jsonl`."""

    task_id: int
    text: str
    code: str
    test_setup_code: str
    test_list: tuple[str, ...]


class _SanitizedEntry(msgspec.Struct, frozen=True):
    """The fields of `sanitized-mbpp.json`."""

    task_id: int
    test_imports: tuple[str, ...]
    prompt: str
    code: str
    test_list: tuple[str, ...]


def mbpp(data: Path | None = None) -> Task:
    """Return the full data set, evaluated on its test split (500); `data` is a copy of `mbpp.jsonl`."""
    return _task("mbpp", data, config="full", kind=_FullEntry)


def mbpp_sanitized(data: Path | None = None) -> Task:
    """Return the hand-verified part, test split (257); `data` is a copy of `sanitized-mbpp.json`."""
    return _task("mbpp_sanitized", data, config="sanitized", kind=_SanitizedEntry)


def _task(
    name: str, data: Path | None, *, config: str, kind: type[_FullEntry] | type[_SanitizedEntry]
) -> Task:
    def load() -> Sequence[Problem]:
        items = [_item(entry) for entry in entries_of(data, kind, hub_id=_HUB_ID, config=config)]
        return _problems(sorted(items, key=lambda item: item.number), where=str(data or _HUB_ID))

    return Task(
        name=name,
        version="1",
        source=_SOURCE,
        stop=_STOP,
        max_new_tokens=512,
        load=load,
        assemble=completion_alone,
        in_split=lambda problem: problem.metadata["number"] in _TEST_IDS,
    )


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry: both files in one form."""

    number: int
    text: str
    code: str
    tests: CodeTests

    @property
    def question(self) -> str:
        return _QUESTION.format(text=self.text, tests="\n".join(self.tests.checks))


def _item(entry: Entry[_FullEntry | _SanitizedEntry]) -> _Item:
    record = entry.record
    if isinstance(record, _FullEntry):
        text, setup = record.text, _unix(record.test_setup_code)
    else:
        text, setup = record.prompt, _unix("\n".join(record.test_imports))
    code, checks = _unix(record.code), tuple(_unix(test) for test in record.test_list)
    try:
        entry_point, modules = function_asked_for(code, checks), modules_relied_on(code, checks)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{entry.where}: code or test_list is not Python: {error}") from error
    with entry.naming_faults():
        tests = CodeTests(
            source=setup + "\n",
            entry_point=entry_point,
            stub="".join(f"import {name}\n" for name in modules),
            checks=checks,
            reference=code,
        )
    return _Item(record.task_id, text, code, tests)


def _problems(items: Sequence[_Item], *, where: str) -> list[Problem]:
    shots = {item.number: item for item in items if item.number in _SHOTS}
    if missing := [number for number in _SHOTS if number not in shots]:
        raise DataError(
            f"{where}: problems {missing} are missing; the three-shot prompt is made of problems 2, 3 and 4, "
            "so the file must hold the prompt split too"
        )
    header = "".join(f"{shots[n].question}{shots[n].code}\n[DONE]\n\n" for n in _SHOTS)
    return [_problem(item, header) for item in items]


def _problem(item: _Item, header: str) -> Problem:
    return Problem(
        task_id=f"Mbpp/{item.number}",
        prompt=header + item.question,
        header=header,
        description=item.question,
        # the asserts shown are the hidden tests themselves: as public examples they would grade
        examples=(),
        entry_point=item.tests.entry_point,
        tests=item.tests,
        reference=item.code,
        metadata={"number": item.number},
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
