"""Examples for a prompt that belongs to no task: the caller's, or those that the prompt itself shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.asked_prompt import AskedPrompt
from codesample.records import CallExample, Example, PublicView
from codesample.records.refusal import Refused
from codesample.records.taking import takes_by
from codesample.tasks.examples import flaw_of, prompt_examples

__all__ = ["examples_of", "expect_examples", "view_of"]


def examples_of(given: Sequence[Example | tuple[str, str]] | None) -> tuple[Example, ...] | None:
    """Make examples of pairs of texts.

    Raises:
        WrongTypeError: one of them is neither.
    """
    return None if given is None else tuple(map(_example, given))


def _example(given: Any) -> Example:
    if isinstance(given, Example):
        return given
    pair = tuple(given) if isinstance(given, tuple | list) else ()
    if len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return CallExample(*pair)
    raise Refused(given, "a call and its value as two texts, such as ('f(1)', '2'), or an Example")


takes_by(Example | tuple[str, str], _example)


def view_of(asked: AskedPrompt, examples: Sequence[Example] | None, name: str) -> PublicView:
    """Return what a reranker may know of a prompt; raises ParameterError for an example that cannot be run.

    Args:
        asked: The prompt.
        examples: Those to take; None reads them from the prompt.
        name: Stands for the task and for the problem.
    """
    if examples is None:
        examples = prompt_examples(asked.text, asked.entry_point) if asked.entry_point else ()
    for flaw in filter(None, map(flaw_of, examples)):
        raise ParameterError(f"examples: {flaw}")
    return PublicView(name, name, asked.text, asked.text, asked.entry_point, tuple(examples))


def expect_examples(view: PublicView) -> None:
    """Raise RerankerError where there are no examples for `until=passed`."""
    if not view.examples:
        raise RerankerError("until=passed needs examples, and the prompt shows none; give examples=[...]")
