"""mini: the embedded problems, three tiers of difficulty, no network needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codesample.data_files import read_entries
from codesample.records import Problem
from codesample.tasks.contract import Task
from codesample.tasks.function_form import STOP, FunctionEntry, function_problem

__all__ = ["mini"]

_EMBEDDED = Path(__file__).with_name("problems.jsonl")


def mini(data: Path | None = None) -> Task:
    """Return the task; `data` replaces the embedded problems by others of the same form."""
    return Task(
        name="mini",
        version="1",
        source="codesample, tasks/mini",
        stop=STOP,
        max_new_tokens=256,
        load=lambda: _load(data or _EMBEDDED),
    )


class _MiniEntry(FunctionEntry, frozen=True, kw_only=True):
    tier: str


def _load(path: Path) -> Sequence[Problem]:
    entries = read_entries(path, _MiniEntry)
    return [function_problem(entry, metadata={"tier": entry.record.tier}) for entry in entries]
