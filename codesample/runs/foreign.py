"""Reads samples that another tool wrote: one JSON object per line, with `completion` or `solution`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from codesample.data_files import Entry, read_entries
from codesample.errors import DataError
from codesample.records import Candidate, FinishReason

__all__ = ["read_samples"]

_T = TypeVar("_T")


class _Sample(msgspec.Struct):
    """What tools write; the fields after `program` only where they wrote them as this toolkit does."""

    task_id: str
    index: int | None = None
    completion: str | None = None
    solution: str | None = None
    program: str | None = None
    token_ids: Any = None
    logprobs: Any = None
    sampled_logprobs: Any = None
    finish_reason: Any = None
    stop: Any = None


def read_samples(path: Path, *, known: Collection[str] | None = None) -> Iterator[Candidate]:
    """Read candidates from `.jsonl`, `.json` or `.parquet`, any number per task, in any order.

    An entry holds `task_id` and either `completion` (what the model continued the prompt with) or
    `solution` (a whole program, which becomes the candidate's `program`). An entry without `index` gets
    the next one after those of its task above it. This toolkit's further fields are read where present;
    tokens, log-probabilities and how a candidate ended are left out where another tool wrote them in its
    own form.

    Args:
        known: Task ids that exist; others are refused. None accepts any.

    Raises:
        DataError: the file or an entry is malformed, an id is unknown, or a (task_id, index) occurs twice;
            names file and line.
    """
    numbered: Counter[str] = Counter()
    seen: set[tuple[str, int]] = set()
    for entry in read_entries(path, _Sample):
        task_id = entry.record.task_id
        if known is not None and task_id not in known:
            near = get_close_matches(task_id, known, n=1)
            suggestion = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"{entry.where}: the task has no problem {task_id!r}{suggestion}")
        index = numbered[task_id] if entry.record.index is None else entry.record.index
        numbered[task_id] = max(numbered[task_id], index + 1)
        if index < 0:
            raise DataError(f"{entry.where}: index {index}: expected at least 0")
        if (task_id, index) in seen:
            raise DataError(f"{entry.where}: candidate {index} of {task_id!r} occurs twice")
        seen.add((task_id, index))
        yield _candidate(entry, index)


def _candidate(entry: Entry[_Sample], index: int) -> Candidate:
    sample = entry.record
    if sample.completion is not None:
        completion, program = sample.completion, sample.program
    elif sample.solution is not None:
        completion = program = sample.solution
    else:
        raise DataError(f"{entry.where}: holds neither 'completion' nor 'solution'")
    return Candidate(
        task_id=sample.task_id,
        index=index,
        completion=completion,
        token_ids=_as_ours(sample.token_ids, tuple[int, ...]),
        logprobs=_as_ours(sample.logprobs, tuple[float, ...]),
        sampled_logprobs=_as_ours(sample.sampled_logprobs, tuple[float, ...]),
        finish_reason=_as_ours(sample.finish_reason, FinishReason),
        stop=_as_ours(sample.stop, str),
        program=program,
    )


def _as_ours(value: object, kind: type[_T]) -> _T | None:
    """Return a value of the form that this toolkit writes, or None."""
    try:
        return None if value is None else msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
