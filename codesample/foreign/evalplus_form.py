"""EvalPlus' forms: lines with `solution`, folders of programs, and result files with two verdicts each.

BigCodeBench writes result files of the same build with one verdict each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from codesample.errors import DataError, ParameterError
from codesample.foreign.contract import Form, Sample, Writing
from codesample.foreign.document import Document, Members
from codesample.foreign.human_eval_form import FORM as ROWS

__all__ = ["FOLDER", "LINES", "RESULTS", "write_evalplus", "write_evalplus_folder"]

# of the data that this toolkit's tasks are made for, v0.1.10 and v0.2.0
_HASHES = frozenset({"fe585eb4df8c88d844eeb463ea4d0302", "ee43ecabebf20deef4bb776a405ac5b1"})
_PASSED = frozenset({"pass", "success"})
_PROGRAM = re.compile(r"(?:^|/)([^/]+)/(\d+)\.py$")


def _holds_lines(document: Document) -> bool:
    first = document.first
    return ROWS.holds(document) and ("_identifier" in first or "completion" not in first)


def _results(document: Document) -> Mapping[str, Any] | None:
    value = document.value
    if isinstance(value, dict) and isinstance(value.get("eval"), dict) and "samples" not in value:
        found: Mapping[str, Any] = value["eval"]
        kinds = {type(each) for each in found.values()}
        return found if kinds <= {list} or ("date" in value and kinds <= {list, dict}) else None
    return None


def _read_results(document: Document, plus: bool) -> Iterator[Sample]:
    value = document.value
    kept = value.get("hash") if isinstance(value, dict) else None
    if isinstance(kept, str) and kept not in _HASHES:
        document.notices.append(
            f"{document.name}: was judged there by other data (hash {kept}) than HumanEval+ v0.1.10 or "
            "MBPP+ v0.2.0"
        )
    for task, found in (_results(document) or {}).items():
        place = f"{document.name}: eval: {task}"
        if not isinstance(found, list):
            raise DataError(
                f"{place}: an older form of results, which holds no programs; give the samples that it is of"
            )
        for number, each in enumerate(found):
            if not isinstance(each, dict) or not isinstance(each.get("solution"), str):
                raise DataError(f"{place}: item {number}: expected an object with the text 'solution'")
            passed, said = _verdict(each, plus)
            fields = {name: value for name, value in each.items() if name not in ("task_id", "solution")}
            yield Sample(
                task=task,
                completion=each["solution"],
                program=each["solution"],
                where=f"{place}: item {number}",
                passed=passed,
                said=said,
                fields=fields,
            )


def _verdict(item: Mapping[str, Any], plus: bool) -> tuple[bool | None, str]:
    """Return the verdict on the tests that are wanted, and how it was said."""
    if "base_status" not in item:
        status = item.get("status")
        return (status in _PASSED if isinstance(status, str) else None), _said(item.get("details"), status)
    base, more = item["base_status"], item.get("plus_status")
    if not isinstance(base, str):
        return None, ""
    if not plus:
        return base in _PASSED, f"base tests: {base}"
    if base in _PASSED and not isinstance(more, str):
        # judged by the smaller set alone
        return None, ""
    return base in _PASSED and more in _PASSED, f"base tests: {base}, plus tests: {more}"


def _said(details: object, status: object) -> str:
    return f"{status}: {json.dumps(details)}" if details else str(status)


def _figures(document: Document, plus: bool) -> Mapping[str, float]:
    value = document.value
    kept = value.get("pass_at_k") if isinstance(value, dict) else None
    if isinstance(kept, dict):
        # of two sets of tests, or of one
        kept = kept.get("plus" if plus else "base", kept)
        return {
            name: float(each)
            for name, each in (kept if isinstance(kept, dict) else {}).items()
            if isinstance(each, int | float)
        }
    return {}


def _programs(members: Members | None) -> list[tuple[str, str, int]]:
    """List the programs of a folder: file, folder's name, number."""
    found = [(name, match) for name in (members.names if members else ()) if (match := _PROGRAM.search(name))]
    return sorted(((name, match[1], int(match[2])) for name, match in found), key=lambda each: each[1:])


def _read_folder(document: Document, plus: bool) -> Iterator[Sample]:
    members = document.members
    assert members is not None
    for name, task, number in _programs(members):
        text = members.read(name).decode("utf-8", "surrogateescape")
        yield Sample(
            task=task,
            completion=text,
            program=text,
            index=number,
            where=str(PurePosixPath(document.name, name)),
        )


def write_evalplus(writing: Writing) -> Iterator[str]:
    """Yield lines that `evalplus.evaluate --samples` reads: each a whole program."""
    for problem, each in writing.rows():
        line = {"task_id": problem.task_id, "solution": each.program}
        yield json.dumps(line | {k: v for k, v in each.fields.items() if k not in line}) + "\n"


def write_evalplus_folder(writing: Writing) -> Iterator[tuple[str, str]]:
    """Yield the files of such a folder: name and content; numbered anew within each problem.

    Raises:
        ParameterError: a problem's id makes no folder of its own; names it.
    """
    owners: dict[str, str] = {}
    for problem, candidates in writing.problems:
        folder = problem.task_id.replace("/", "_")
        owner = owners.setdefault(folder, problem.task_id)
        if folder in ("", ".", "..") or "\0" in folder or owner != problem.task_id:
            raise ParameterError(
                f"problem {problem.task_id!r}: makes no folder of its own; write EvalPlus' lines, to a name "
                "that ends in .jsonl"
            )
        for number, each in enumerate(candidates):
            yield f"{folder}/{number}.py", each.program


LINES = Form("EvalPlus", _holds_lines, ROWS.read)
FOLDER = Form("EvalPlus", lambda document: bool(_programs(document.members)), _read_folder)
RESULTS = Form("EvalPlus", lambda document: _results(document) is not None, _read_results, _figures)
