"""mini: the embedded problems, three tiers of difficulty, no network needed; with examples or without."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from codesample.data_files import Entry, read_entries
from codesample.errors import DataError
from codesample.records import Problem
from codesample.records.validation import validated
from codesample.tasks.chat_forms import COMPLETE
from codesample.tasks.contract import Task
from codesample.tasks.examples import prompt_examples
from codesample.tasks.facts import TaskFacts
from codesample.tasks.function_form import STOP, FunctionEntry, function_problem

__all__ = ["mini", "mini_blind"]

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
_BLIND = replace(
    _FACTS,
    summary="The problems of `mini` without examples in the prompt: a testbed for methods that choose.",
    prompt="A signature with a docstring of a sentence or two, and no example.",
    traps=(
        *_FACTS.traps,
        "Nothing public can be run: `public_examples` abstains; agreement, probability and models choose.",
    ),
)
# an example, what it prints, and the empty lines before it, up to the line that ends the docstring
_EXAMPLES = re.compile(r"(?:[ \t]*\n)*^[ \t]*>>>(?:.*\n)*?(?=[ \t]*(?:\"\"\"|''')[ \t]*\n)", re.MULTILINE)


@validated
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


@validated
def mini_blind(data: Path | None = None) -> Task:
    """Return the same problems, by the same ids, whose prompts show no examples; `data` as in `mini`.

    Signature, annotations and the docstring's sentences stay, and so do the hidden tests.
    """
    return replace(
        mini(data),
        name="mini_blind",
        source="codesample, tasks/mini, examples removed",
        load=lambda: _load(data or _EMBEDDED, blind=True),
        facts=_BLIND,
    )


class _MiniEntry(FunctionEntry, frozen=True, kw_only=True):
    tier: str


def _load(path: Path, *, blind: bool = False) -> Sequence[Problem]:
    read = read_entries(path, _MiniEntry)
    entries = map(_blinded, read) if blind else read
    return [function_problem(entry, metadata={"tier": entry.record.tier}) for entry in entries]


def _blinded(entry: Entry[_MiniEntry]) -> Entry[_MiniEntry]:
    """Return an entry without the examples that end its docstring.

    Raises:
        DataError: examples are left, such as ones in the middle of a sentence; names file and line.
    """
    record = entry.record
    prompt = _EXAMPLES.sub("\n", record.prompt)
    if ">>>" in prompt or prompt_examples(prompt, record.entry_point):
        raise DataError(
            f"{entry.where}: the prompt shows examples elsewhere than in `>>>` lines at the end of its "
            "docstring; mini_blind cannot take them out"
        )
    return replace(entry, record=msgspec.structs.replace(record, prompt=prompt))
