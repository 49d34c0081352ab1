"""HumanEval: 164 functions to complete from signature and docstring."""

from __future__ import annotations

from pathlib import Path

from codesample.data_files import entries_of
from codesample.records.validation import validated
from codesample.tasks.chat_forms import COMPLETE
from codesample.tasks.contract import Task
from codesample.tasks.facts import TaskFacts
from codesample.tasks.function_form import STOP, FunctionEntry, function_problem

__all__ = ["humaneval"]

_HUB_ID = "openai/openai_humaneval"
_FACTS = TaskFacts(
    summary="Functions to complete from signature and docstring.",
    problems=164,
    entries=164,
    split="the test split, the only one",
    hub_id=_HUB_ID,
    files=("HumanEval.jsonl.gz",),
    licence="MIT",
    prompt="As published, to the letter.",
    tests="`check` functions.",
    traps=(
        "142 prompts begin with a newline and all end with one. Stripping the last one splits the first "
        "indentation of the answer into other tokens.",
        "Six names of functions occur twice: everything is keyed by `task_id`.",
        "The tests of 32, 38 and 50 call helpers of the prompt (`poly`, `encode_cyclic`, `encode_shift`): "
        "always the published ones, whatever the program redefines.",
        "Eight of the 401 examples that the docstrings show are wrong: in 47, 116, 130 and 148.",
    ),
    limits=("Ten times the CPU time of the solution, at least a second.",),
)


@validated
def humaneval(data: Path | None = None) -> Task:
    """Return the task; `data` is `HumanEval.jsonl.gz` or another copy of its entries, default the hub's."""
    return Task(
        name="humaneval",
        version="1",
        source="Chen et al. 2021, Evaluating Large Language Models Trained on Code, arXiv:2107.03374",
        stop=STOP,
        max_new_tokens=512,
        load=lambda: [function_problem(entry) for entry in entries_of(data, FunctionEntry, hub_id=_HUB_ID)],
        chat=COMPLETE,
        facts=_FACTS,
    )
