"""LiveCodeBench's outputs: a problem's answers, the code taken from them and, once judged, grades."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from codesample.data_files import Entry
from codesample.decoding import converted
from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample, Writing
from codesample.foreign.document import Document

__all__ = ["FORM", "write_livecodebench"]


class _Item(msgspec.Struct):
    question_id: str | int
    code_list: list[str] | None = None
    output_list: list[str] | None = None
    graded_list: list[Any] | None = None


def _holds(document: Document) -> bool:
    first = document.first
    return "question_id" in first and not first.keys().isdisjoint({"code_list", "output_list"})


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    for entry in document.entries():
        yield from _samples(entry)


def _samples(entry: Entry[dict[str, Any]]) -> Iterator[Sample]:
    item = converted(entry.record, _Item, where=entry.where)
    codes, answers, grades = item.code_list, item.output_list, item.graded_list
    if codes is None and answers is None:
        raise DataError(f"{entry.where}: holds neither 'code_list' nor 'output_list'")
    count = len(codes if codes is not None else answers or ())
    for name, other in (("output_list", answers), ("graded_list", grades)):
        if other is not None and len(other) != count:
            raise DataError(f"{entry.where}: {name} has {len(other)} items, code_list {count}")
    rest = {name: value for name, value in entry.record.items() if name not in _Item.__struct_fields__}
    for index in range(count):
        grade = grades[index] if grades is not None else None
        code = codes[index] if codes is not None else None
        answer = answers[index] if answers is not None else None
        yield Sample(
            task=item.question_id,
            completion=code if code is not None else str(answer),
            program=code,
            answer=answer if code is not None else None,
            index=index,
            where=f"{entry.where}: item {index}",
            passed=grade if isinstance(grade, bool) else None,
            said="" if grade is None else "graded " + ("right" if grade is True else "wrong"),
            # what is said of the problem stands with its first sample
            fields=rest if index == 0 else {},
        )


def write_livecodebench(writing: Writing) -> Iterator[str]:
    """Yield the text of a file that its custom evaluator reads; with grades where all of them are known."""
    items = []
    for problem, candidates in writing.problems:
        if not candidates:
            continue
        name = candidates[0].name
        item: dict[str, Any] = {
            "question_id": name if isinstance(name, str) else problem.task_id,
            "output_list": [each.answer for each in candidates],
            "code_list": [each.program for each in candidates],
        }
        grades = [each.verdict.passed for each in candidates if each.verdict is not None]
        if len(grades) == len(candidates):
            item |= {"graded_list": grades, "pass@1": sum(grades) / len(grades)}
        items.append(dict(candidates[0].fields) | item)
    # the evaluator goes by this order
    yield json.dumps(sorted(items, key=lambda item: str(item["question_id"])), indent=4)


FORM = Form("LiveCodeBench", _holds, _read)
