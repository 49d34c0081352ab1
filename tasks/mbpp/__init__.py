"""MBPP: entry-level problems in one sentence and three asserts, asked in the published three-shot form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesample.errors import DataError
from codesample.records import Problem, Tests
from codesample.tasks.contract import Task, completion_alone
from codesample.tasks.mbpp.asserts import function_asked_for, modules_relied_on
from codesample.tasks.reader import Row, rows_of

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


def mbpp(data: Path | None = None) -> Task:
    """Return the full data set, evaluated on its test split (500); `data` is a copy of `mbpp.jsonl`."""
    return _task("mbpp", data, config="full", text_field="text", setup_field="test_setup_code")


def mbpp_sanitized(data: Path | None = None) -> Task:
    """Return the hand-verified part, test split (257); `data` is a copy of `sanitized-mbpp.json`."""
    return _task("mbpp_sanitized", data, config="sanitized", text_field="prompt", setup_field="test_imports")


def _task(name: str, data: Path | None, *, config: str, text_field: str, setup_field: str) -> Task:
    def load() -> Sequence[Problem]:
        rows = (_read(row, text_field, setup_field) for row in rows_of(data, hub_id=_HUB_ID, config=config))
        return _problems(sorted(rows, key=lambda item: item.number), where=str(data or _HUB_ID))

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
    """One row: both files in one form."""

    number: int
    text: str
    code: str
    setup: str
    builds_objects: bool
    tests: tuple[str, ...]
    entry_point: str | None
    imports: str

    @property
    def question(self) -> str:
        return _QUESTION.format(text=self.text, tests="\n".join(self.tests))


def _read(row: Row, text_field: str, setup_field: str) -> _Item:
    imports_only = setup_field == "test_imports"
    setup = _unix("\n".join(row.strings(setup_field)) if imports_only else row.get(setup_field, str))
    code = _unix(row.get("code", str))
    tests = tuple(_unix(test) for test in row.strings("test_list"))
    try:
        entry_point, modules = function_asked_for(code, tests), modules_relied_on(code, tests)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{row.where}: code or test_list is not Python: {error}") from error
    return _Item(
        number=row.get("task_id", int),
        text=row.get(text_field, str),
        code=code,
        setup=setup,
        builds_objects=bool(setup.strip()) and not imports_only,
        tests=tests,
        entry_point=entry_point,
        imports="".join(f"import {name}\n" for name in modules),
    )


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
        entry_point=item.entry_point,
        tests=Tests(
            source=item.setup + "\n",
            entry_point=item.entry_point,
            stub=item.imports,
            checks=item.tests,
            # set-up code builds the program's own objects and changes them in place
            mode="in_process" if item.builds_objects else "split",
        ),
        reference=item.code,
        metadata={"number": item.number},
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
