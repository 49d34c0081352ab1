"""A problem, and the part of it that may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codesample.records.example import Example
from codesample.records.message import Message
from codesample.records.short import one_line, short
from codesample.records.tests import ScriptTests, Tests
from codesample.records.validation import validated

__all__ = ["Problem", "PublicView"]


@validated
@dataclass(frozen=True, slots=True)
class Problem:
    """One item of a task.

    Attributes:
        task_id: Unique within the task, such as "HumanEval/0".
        prompt: The whole text given to the model, `header` included, not stripped.
        tests: Hidden tests; they grade and are seen by nothing else.
        header: Leading part of `prompt` that other problems of the task share, or "".
        description: The prompt without its header; what a person would read.
        entry_point: Name of the function asked for, if the task states one.
        examples: Public examples that the prompt itself shows: calls with values, or inputs with outputs.
        reference: A completion (in the form a model would give it) that passes, if the data set has one.
        metadata: Facts for reports, such as {"tier": "compose"}; must be plain JSON data.
        messages: The turns that a chat model is given, where the data set states them; () makes one of the
            task's chat form. A last one of the assistant's is the beginning of the answer.
    """

    task_id: str
    prompt: str
    tests: Tests
    header: str = ""
    description: str = ""
    entry_point: str | None = None
    examples: tuple[Example, ...] = ()
    reference: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()

    def __repr__(self) -> str:
        parts = [short(self.task_id), short(self.prompt), type(self.tests).__name__]
        if self.examples:
            parts.append(f"examples: {len(self.examples)}")
        if self.reference is not None:
            parts.append("a reference")
        return f"Problem({', '.join(parts)})"


@validated
@dataclass(frozen=True, slots=True)
class PublicView:
    """What a reranker may know of a problem: an allow-list that holds no hidden test and no reference.

    Attributes:
        atol, rtol: Tolerance of the numbers that scripts print, in examples as in the hidden tests.
    """

    task: str
    task_id: str
    prompt: str
    description: str
    entry_point: str | None
    examples: tuple[Example, ...]
    atol: float = 0.0
    rtol: float = 0.0

    __repr__ = one_line

    @classmethod
    def of(cls, task: str, problem: Problem) -> PublicView:
        """Build the view of `problem` by copying the allowed fields, each by name."""
        return cls(
            task=task,
            task_id=problem.task_id,
            prompt=problem.prompt,
            description=problem.description,
            entry_point=problem.entry_point,
            examples=problem.examples,
            atol=problem.tests.atol if isinstance(problem.tests, ScriptTests) else 0.0,
            rtol=problem.tests.rtol if isinstance(problem.tests, ScriptTests) else 0.0,
        )
