"""HumanEval: 164 functions to complete from signature and docstring."""

from __future__ import annotations

from pathlib import Path

from codesample.data_files import entries_of
from codesample.tasks.contract import Task
from codesample.tasks.function_form import STOP, FunctionEntry, function_problem

__all__ = ["humaneval"]

_HUB_ID = "openai/openai_humaneval"


def humaneval(data: Path | None = None) -> Task:
    """Return the task; `data` is `HumanEval.jsonl.gz` or another copy of its entries, default the hub's."""
    return Task(
        name="humaneval",
        version="1",
        source="Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv:2107.03374",
        stop=STOP,
        max_new_tokens=512,
        load=lambda: [function_problem(entry) for entry in entries_of(data, FunctionEntry, hub_id=_HUB_ID)],
    )
