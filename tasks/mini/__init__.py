"""mini: the embedded problems, three tiers of difficulty, no network needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codesample.data_files import read_entries
from codesample.records import Problem
from codesample.tasks.chat_forms import COMPLETE
from codesample.tasks.contract import Task
from codesample.tasks.facts import TaskFacts
from codesample.tasks.function_form import STOP, FunctionEntry, function_problem

__all__ = ["mini"]

_EMBEDDED = Path(__file__).with_name("problems.jsonl")
_FACTS = TaskFacts(
    summary="Short functions in three tiers of difficulty; part of the package, for tests and first steps.",
    problems=107,
    entries=107,
    licence="Apache-2.0",
    prompt="A signature with a docstring of one or two lines.",
    tests="`check` functions.",
    traps=("Made for the built-in model: what other models score says little.",),
    limits=("Ten times the CPU time of the solution, at least a second.",),
)


def mini(data: Path | None = None) -> Task:
    """Return the task; `data` replaces the embedded problems by others of the same form."""
    return Task(
        name="mini",
        version="1",
        source="codesample, tasks/mini",
        stop=STOP,
        max_new_tokens=256,
        load=lambda: _load(data or _EMBEDDED),
        chat=COMPLETE,
        facts=_FACTS,
    )


class _MiniEntry(FunctionEntry, frozen=True, kw_only=True):
    tier: str


def _load(path: Path) -> Sequence[Problem]:
    entries = read_entries(path, _MiniEntry)
    return [function_problem(entry, metadata={"tier": entry.record.tier}) for entry in entries]
