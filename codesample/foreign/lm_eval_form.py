"""lm-evaluation-harness, `--log_samples`: a line per problem with raw answers, filtered ones and metrics."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from codesample.data_files import Entry
from codesample.decoding import converted
from codesample.errors import DataError
from codesample.foreign.contract import Form, Sample, Writing, Written
from codesample.foreign.document import Document
from codesample.records import Problem

__all__ = ["FORM", "is_figures", "write_lm_eval"]

_METRIC = "pass@1"
# filters that choose among answers, and make no program of one
_CHOOSING = frozenset({"", "none", "take_first"})
# shares of something else: of problems with one pass among several answers, or of like words
_NO_SHARE = re.compile(r"pass(@|_at_)(?!1\b|1_)|bleu|rouge|chrf", re.IGNORECASE)
_NO_METRIC = frozenset({"doc_id", "doc_hash", "prompt_hash", "target_hash"})


class _Line(msgspec.Struct):
    doc_id: int
    doc: dict[str, Any] = {}
    resps: list[Any] = []
    filtered_resps: list[Any] = []
    filter: str = ""


def is_figures(value: object) -> bool:
    """Whether a JSON value is a `results_*.json` file, which holds no samples."""
    return isinstance(value, dict) and {"results", "configs"} <= value.keys()


def _holds(document: Document) -> bool:
    return {"doc_id", "resps"} <= document.first.keys()


def _read(document: Document, plus: bool) -> Iterator[Sample]:
    named = ""
    left_out: set[str] = set()
    for number, entry in enumerate(document.entries()):
        line = converted(entry.record, _Line, where=entry.where)
        # one task may filter its answers in several ways; each way stands in lines of its own
        named = line.filter if number == 0 else named
        if line.filter != named:
            left_out.add(line.filter)
            continue
        yield from _samples(entry, line)
    if left_out:
        document.notices.append(
            f"{document.name}: answers filtered by {named!r} are taken; those by "
            f"{', '.join(map(repr, sorted(left_out)))} are left out"
        )


def _samples(entry: Entry[dict[str, Any]], line: _Line) -> Iterator[Sample]:
    raw = _texts(line.resps, "resps", entry.where)
    programs = _texts(line.filtered_resps, "filtered_resps", entry.where) or raw
    if len(programs) != len(raw):
        # a filter that takes the first alone
        raw = raw[: len(programs)] if len(programs) < len(raw) else programs
    names = [line.doc.get(name) for name in ("task_id", "question_id", "id")]
    task = next((name for name in names if isinstance(name, str | int)), None)
    share = _share(entry.record)
    made = line.filter not in _CHOOSING
    fields = {k: v for k, v in entry.record.items() if k not in ("resps", "filtered_resps")}
    for index, (answer, program) in enumerate(zip(raw, programs, strict=True)):
        alone = len(programs) == 1 and share in (0.0, 1.0)
        yield Sample(
            task=line.doc_id if task is None else task,
            by_position=task is None,
            index=index,
            completion=program,
            # what no filter changed goes on with the prompt
            program=program if made or program != answer else None,
            answer=answer if program != answer else None,
            where=f"{entry.where}: answer {index}",
            passed=share == 1.0 if alone else None,
            said=f"{_METRIC} {share:g}" if alone else "",
            share=share if index == 0 and not alone else None,
            fields=fields if index == 0 else {},
        )


def _texts(found: list[Any], name: str, where: str) -> list[str]:
    """Return the texts of a list of texts, or of one that holds lists of them."""
    flat = [item for each in found for item in (each if isinstance(each, list) else [each])]
    if not all(isinstance(item, str) for item in flat):
        raise DataError(f"{where}: {name} holds something else than texts")
    return flat


def _share(record: Mapping[str, Any]) -> float | None:
    """Return the metric that says how many of the answers passed: `pass@1`, or what a task calls it."""
    listed = record.get("metrics")
    names = [_METRIC, *(listed if isinstance(listed, list) else [])]
    names += [name for name in record if name.startswith(("pass_at_1", "pass@1"))]
    for name in names:
        known = isinstance(name, str) and name not in _NO_METRIC and not _NO_SHARE.search(name)
        value = record.get(name) if known else None
        if isinstance(value, int | float) and 0 <= value <= 1:
            return float(value)
    return None


def write_lm_eval(writing: Writing) -> Iterator[str]:
    """Yield the lines of a `samples_TASK_DATE.jsonl` file."""
    for position, (problem, candidates) in enumerate(writing.problems):
        if candidates:
            yield json.dumps(_line(position, problem, candidates)) + "\n"


def _line(position: int, problem: Problem, candidates: Any) -> dict[str, Any]:
    first: Written = candidates[0]
    kept = dict(first.fields) if "doc" in first.fields else {}
    doc = kept.get("doc") or {
        "task_id": first.name,
        "prompt": problem.prompt,
        "canonical_solution": problem.reference,
        "entry_point": problem.entry_point,
        **first.fields,
    }
    line = {
        "doc_id": kept.get("doc_id", position),
        "doc": doc,
        "target": kept.get("target", ""),
        "arguments": kept.get("arguments", {"gen_args_0": {"arg_0": problem.prompt, "arg_1": {}}}),
        "resps": [[each.answer for each in candidates]],
        "filtered_resps": [[each.program for each in candidates]],
        "filter": kept.get("filter", "create_test"),
        "metrics": [_METRIC],
        "doc_hash": kept.get("doc_hash", _hash(json.dumps(doc))),
        "prompt_hash": kept.get("prompt_hash", _hash(problem.prompt)),
        "target_hash": kept.get("target_hash", _hash("")),
    }
    grades = [each.verdict.passed for each in candidates if each.verdict is not None]
    if len(grades) == len(candidates):
        line[_METRIC] = sum(grades) / len(grades)
    return kept | line


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


FORM = Form("lm-evaluation-harness", _holds, _read)
