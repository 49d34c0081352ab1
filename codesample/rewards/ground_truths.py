"""What trainers without columns hand over in place of a row, and grades that have to be rewards for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from codesample.errors import ExecutionError, ParameterError
from codesample.rewards.graded import Graded

__all__ = ["expect_judged", "row_of"]


def expect_judged(grades: Sequence[Graded]) -> Sequence[Graded]:
    """Return grades of which each is a reward; raises ExecutionError for one that is none."""
    lost = [each for each in grades if each.reward is None]
    if lost:
        raise ExecutionError(
            f"{len(lost)} of {len(grades)} programs were not judged, so that no score is true of them: "
            f"{lost[0].detail}"
        )
    return grades


def row_of(truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """Return a row's columns from a ground truth or label: a task id, or a problem's fields, also as JSON.

    Raises:
        ParameterError: it is none of these.
    """
    row = dict(extra_info) if isinstance(extra_info, Mapping) else {}
    if isinstance(truth, str) and truth.lstrip().startswith("{"):
        try:
            truth = json.loads(truth)
        except ValueError as error:
            raise ParameterError(f"a ground truth begins with {{ and is no JSON: {error}") from None
    if isinstance(truth, Mapping):
        return {**row, **truth}
    if truth is not None and row.get("task_id") is None:
        row["task_id"] = truth
    return row
