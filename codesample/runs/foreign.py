"""Reads samples that another tool wrote: one JSON object per line, with `completion` or `solution`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from codesample.errors import DataError
from codesample.records import Candidate
from codesample.runs.encoding import candidate_from_row
from codesample.tasks.reader import Row, read_rows

__all__ = ["read_samples"]

_OPTIONAL = ("token_ids", "logprobs", "sampled_logprobs", "finish_reason", "stop")


def read_samples(path: Path, *, known: Collection[str] | None = None) -> Iterator[Candidate]:
    """Read candidates from `.jsonl`, `.json` or `.parquet`, any number per task, in any order.

    A row holds `task_id` and either `completion` (what the model continued the prompt with) or `solution`
    (a whole program, which becomes the candidate's `program`). A row without `index` gets the next one
    after those of its task above it. This toolkit's further fields are read where present; tokens,
    log-probabilities and how a candidate ended are left out where another tool wrote them in its own form.

    Args:
        known: Task ids that exist; others are refused. None accepts any.

    Raises:
        DataError: the file or a row is malformed, an id is unknown, or a (task_id, index) occurs twice;
            names file and line.
    """
    numbered: Counter[str] = Counter()
    seen: set[tuple[str, int]] = set()
    for row in read_rows(path):
        task_id = _task_id(row, known)
        index = row.get("index", int, numbered[task_id])
        numbered[task_id] = max(numbered[task_id], index + 1)
        if index < 0:
            raise DataError(f"{row.where}: index {index}: expected at least 0")
        if (task_id, index) in seen:
            raise DataError(f"{row.where}: candidate {index} of {task_id!r} occurs twice")
        seen.add((task_id, index))
        yield _candidate(row, index)


def _task_id(row: Row, known: Collection[str] | None) -> str:
    task_id = row.get("task_id", str)
    if known is not None and task_id not in known:
        near = get_close_matches(task_id, known, n=1)
        suggestion = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{row.where}: the task has no problem {task_id!r}{suggestion}")
    return task_id


def _candidate(row: Row, index: int) -> Candidate:
    solution = row.get("solution", str, None)
    completion = row.get("completion", str, None)
    if solution is None and completion is None:
        raise DataError(f"{row.where}: holds neither 'completion' nor 'solution'")
    fields = {
        "task_id": row.fields["task_id"],
        "index": index,
        "completion": solution if completion is None else completion,
        "program": solution if completion is None else row.get("program", str, None),
    }
    candidate = candidate_from_row(Row(fields, row.where))
    for name in _OPTIONAL:
        if row.fields.get(name) is not None:
            with suppress(DataError):
                one = candidate_from_row(Row({**fields, name: row.fields[name]}, row.where))
                candidate = replace(candidate, **{name: getattr(one, name)})
    return candidate
