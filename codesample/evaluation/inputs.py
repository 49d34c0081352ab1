"""Inputs of a problem that need no model: the examples', variations of them, and values of stated types."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from codesample.evaluation.argument_kinds import argument_lists
from codesample.evaluation.test_options import TestOptions
from codesample.evaluation.typed_values import signature_in, typed_arguments
from codesample.evaluation.varied_scripts import script_variations
from codesample.evaluation.varied_values import variations
from codesample.records import CallExample, PublicView, ScriptExample

__all__ = ["Input", "made_inputs"]

_LONGEST = 2_000
_MOST_TRIES = 30


class Input(NamedTuple):
    """A call, as a Python expression, or what a script reads; and where it comes from, of `SOURCES`."""

    text: str
    source: str


def made_inputs(view: PublicView, options: TestOptions, seed: int) -> list[Input]:
    """Return the inputs of a problem that need no model, each once, in the order of their sources.

    Args:
        view: The problem.
        options: Which sources, and how many.
        seed: Settles the rest, with the problem's name.
    """
    rng = random.Random(repr((seed, view.task, view.task_id, "inputs")))
    found: dict[str, Input] = {}
    sources = {"examples": _examples, "varied": _varied, "typed": _typed}
    for source, make in sources.items():
        if source not in options.inputs:
            continue
        repeats = 0
        for text in make(view, rng):
            if len(found) >= options.max_inputs or repeats > _MOST_TRIES:
                break
            new = text not in found and len(text) <= _LONGEST
            repeats = 0 if new else repeats + 1
            if new:
                found[text] = Input(text, source)
    return list(found.values())


def _examples(view: PublicView, rng: random.Random) -> Iterator[str]:
    for each in view.examples:
        if isinstance(each, ScriptExample) and view.entry_point is None:
            yield each.input
        elif isinstance(each, CallExample) and view.entry_point is not None:
            yield each.call


def _varied(view: PublicView, rng: random.Random) -> Iterator[str]:
    if view.entry_point is None:
        texts = [each.input for each in view.examples if isinstance(each, ScriptExample)]
        return script_variations(texts, rng) if texts else iter(())
    rows = list(argument_lists(view))
    if not rows or not any(rows):
        return iter(())
    return _calls(view.entry_point, variations(rows, rng))


def _typed(view: PublicView, rng: random.Random) -> Iterator[str]:
    """Yield calls with values of the types that the prompt states, where no example says more of them."""
    if view.entry_point is None or any(argument_lists(view)):
        return iter(())
    signature = signature_in(view.prompt, view.entry_point)
    return iter(()) if signature is None else _calls(view.entry_point, typed_arguments(signature, rng))


def _calls(name: str, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    for row in rows:
        yield f"{name}({', '.join(map(_spelt, row))})"


def _spelt(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)
