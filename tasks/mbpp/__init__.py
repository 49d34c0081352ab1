"""MBPP: entry-level problems in one sentence and three asserts, asked with three examples or with none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from codesample.data_files import Entry, entries_of
from codesample.errors import DataError, ParameterError
from codesample.records import CodeTests, Problem
from codesample.records.validation import validated
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.mbpp.asserts import function_asked_for, modules_relied_on
from codesample.tasks.mbpp.mbpp_facts import mbpp_facts
from codesample.tasks.mbpp.wordings import CHAT, SENTENCE, docstring, question

__all__ = [
    "SPLITS",
    "Config",
    "mbpp",
    "mbpp_sanitized",
    "mbpp_sanitized_zero_shot",
    "mbpp_task",
    "mbpp_train",
    "mbpp_validation",
    "mbpp_zero_shot",
]

SPLITS = {
    "prompt": range(1, 11),
    "test": range(11, 511),
    "validation": range(511, 601),
    "train": range(601, 975),
}
"""Numbers of the problems of each published split."""

_HUB_ID = "google-research-datasets/mbpp"
_SOURCE = "Austin et al. 2021, Program Synthesis with Large Language Models, arXiv:2108.07732"
_DOCSTRING_SOURCE = (
    "; a docstring as prompt, as bigcode-evaluation-harness has it after Fried et al. 2022, InCoder, "
    "arXiv:2204.05999"
)
_SHOTS = (2, 3, 4)
_STOP = ("[DONE]",)
# each begins what is no part of a solution: a use of it, another docstring, a tag, a fence; four solutions of
# the data go on with a class
_DOCSTRING_STOP = ("\nassert", '\n"""', "\nprint", "\nif", "\n<|/", "\n```")

Config = Literal["full", "sanitized"]


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


_KINDS: dict[Config, type[_FullEntry] | type[_SanitizedEntry]] = {
    "full": _FullEntry,
    "sanitized": _SanitizedEntry,
}


@validated
def mbpp(data: Path | None = None) -> Task:
    """Return the full data set, evaluated on its test split (500); `data` is a copy of `mbpp.jsonl`."""
    return mbpp_task(data)


@validated
def mbpp_sanitized(data: Path | None = None) -> Task:
    """Return the hand-verified part, test split (257); `data` is a copy of `sanitized-mbpp.json`."""
    return mbpp_task(data, config="sanitized")


@validated
def mbpp_zero_shot(data: Path | None = None) -> Task:
    """Return `mbpp` without examples: a docstring to be followed by the code."""
    return mbpp_task(data, shots=0)


@validated
def mbpp_sanitized_zero_shot(data: Path | None = None) -> Task:
    """Return `mbpp_sanitized` without examples: a docstring to be followed by the code."""
    return mbpp_task(data, config="sanitized", shots=0)


@validated
def mbpp_validation(data: Path | None = None) -> Task:
    """Return `mbpp` on its validation split (90)."""
    return mbpp_task(data, split="validation")


@validated
def mbpp_train(data: Path | None = None) -> Task:
    """Return `mbpp` on its train split (374)."""
    return mbpp_task(data, split="train")


@validated
def mbpp_task(
    data: Path | None = None, *, config: Config = "full", split: str = "test", shots: int = 3
) -> Task:
    """Return MBPP in any of its forms; the chat form shows no examples in either.

    Args:
        data: A copy of `mbpp.jsonl`, or of `sanitized-mbpp.json`; None takes the hub's.
        config: "full": 974 problems with three asserts. "sanitized": the 427 that were checked by hand.
        split: One of `SPLITS`.
        shots: 3 for the published prompt, 0 for a docstring.

    Raises:
        ParameterError: another split, or another number of examples.
    """
    if split not in SPLITS:
        raise ParameterError(f"split = {split!r}: expected one of {', '.join(SPLITS)}")
    if shots not in (0, 3):
        raise ParameterError(f"shots = {shots!r}: expected 3, the published examples, or 0")
    words = ["mbpp", *(["sanitized"] if config == "sanitized" else []), *([] if shots else ["zero_shot"])]

    def load() -> Sequence[Problem]:
        items = [_item(entry) for entry in entries_of(data, _KINDS[config], hub_id=_HUB_ID, config=config)]
        items.sort(key=lambda item: item.number)
        if not shots:
            return [_problem(item.after_docstring) for item in items]
        header = _header(items, where=str(data or _HUB_ID))
        return [_problem(item, header) for item in items]

    return Task(
        name="_".join([*words, *([] if split == "test" else [split])]),
        version="1",
        source=_SOURCE if shots else _SOURCE + _DOCSTRING_SOURCE,
        stop=_STOP if shots else _DOCSTRING_STOP,
        max_new_tokens=512,
        load=load,
        assemble=completion_alone,
        in_split=lambda problem: problem.metadata["number"] in SPLITS[split],
        chat=CHAT,
        facts=mbpp_facts(config, split, shots),
    )


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry: both files in one form."""

    number: int
    text: str
    code: str
    tests: CodeTests
    question: str

    @property
    def after_docstring(self) -> _Item:
        return replace(self, question=docstring(self.text, self.tests.checks))


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
    return _Item(record.task_id, text, code, tests, question(text, checks))


def _header(items: Sequence[_Item], *, where: str) -> str:
    shots = {item.number: item for item in items if item.number in _SHOTS}
    if missing := [number for number in _SHOTS if number not in shots]:
        raise DataError(
            f"{where}: problems {missing} are missing; the three-shot prompt is made of problems 2, 3 and 4, "
            "so the file must hold the prompt split too"
        )
    return "".join(f"{shots[n].question}{shots[n].code}\n[DONE]\n\n" for n in _SHOTS)


def _problem(item: _Item, header: str = "") -> Problem:
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
        metadata={"number": item.number, SENTENCE: item.text},
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
