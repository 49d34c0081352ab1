"""Inputs of a problem that need no model: the examples', variations of them, and values of stated types."""

from __future__ import annotations

import ast
import itertools
import math
import random
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from codesample.evaluation.assert_reading import literal_value
from codesample.evaluation.test_options import TestOptions
from codesample.evaluation.typed_values import signature_in, typed_arguments
from codesample.evaluation.varied_values import variations
from codesample.records import CallExample, PublicView, ScriptExample

__all__ = ["Input", "made_inputs"]

_LONGEST = 2_000
_MOST_TRIES = 30
_WORD = re.compile(r"\S+")
_WHOLE, _DECIMAL = re.compile(r"[+-]?\d{1,18}"), re.compile(r"[+-]?\d{1,15}\.\d{1,10}")


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
        return _varied_scripts(texts, rng) if texts else iter(())
    rows = list(_argument_lists(view))
    if not rows or not any(rows):
        return iter(())
    return _calls(view.entry_point, variations(rows, rng))


def _typed(view: PublicView, rng: random.Random) -> Iterator[str]:
    """Yield calls with values of the types that the prompt states, where no example says more of them."""
    if view.entry_point is None or any(_argument_lists(view)):
        return iter(())
    signature = signature_in(view.prompt, view.entry_point)
    return iter(()) if signature is None else _calls(view.entry_point, typed_arguments(signature, rng))


def _argument_lists(view: PublicView) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of the examples' calls, of those that pass plain literals by position."""
    for each in view.examples:
        if not isinstance(each, CallExample):
            continue
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = _innermost(ast.parse(each.call.strip(), mode="eval").body, view.entry_point)
            if call is not None and not call.keywords:
                yield tuple(literal_value(ast.unparse(argument)) for argument in call.args)


def _innermost(node: ast.AST, name: str | None) -> ast.Call | None:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
            return each
    return None


def _calls(name: str, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    for row in rows:
        yield f"{name}({', '.join(map(_spelt, row))})"


def _spelt(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def _varied_scripts(texts: Sequence[str], rng: random.Random) -> Iterator[str]:
    """Yield inputs without end in which some words of an example's are others of their kind.

    Lines keep their number of words, and numbers that count words or lines stay.
    """
    while True:
        lines = rng.choice(texts).split("\n")
        words = [_WORD.findall(line) for line in lines]
        free = [
            (line, at)
            for line, row in enumerate(words)
            for at, word in enumerate(row)
            if not _counts(word, words, line)
        ]
        if not free:
            free = [(line, at) for line, row in enumerate(words) for at, _ in enumerate(row)]
        if not free:
            return
        most = max([10, *(abs(int(word)) for row in words for word in row if _WHOLE.fullmatch(word))])
        signed = any(word.startswith("-") for row in words for word in row)
        for line, at in rng.sample(free, min(len(free), rng.choice((1, 1, 2, 3)))):
            words[line][at] = _other_word(words[line][at], rng, most=most, signed=signed)
        yield "\n".join(
            "".join(itertools.chain.from_iterable(zip(_gaps(text), [*row, ""], strict=True)))
            for text, row in zip(lines, words, strict=True)
        )


def _gaps(line: str) -> list[str]:
    """Return what stands before, between and behind the words of a line."""
    return _WORD.split(line)


def _counts(word: str, words: Sequence[Sequence[str]], line: int) -> bool:
    """Whether a word is the number of words, letters or lines that follow on later lines."""
    if not word.isascii() or not word.isdecimal():
        return False
    number, later = int(word[:18]), words[line + 1 :]
    return (
        number == sum(map(bool, later))
        or any(number == len(row) and number > 1 for row in later)
        or any(number == len(each) and number > 1 for row in later for each in row if not each.isdecimal())
        # the first of two sizes, such as of a table
        or (len(words[line]) <= 3 and 1 < number <= len(later) and any(len(row) > 1 for row in later))
    )


def _other_word(word: str, rng: random.Random, *, most: int, signed: bool) -> str:
    if _WHOLE.fullmatch(word):
        value = int(word)
        number = rng.choice(
            (value + 1, value - 1, value * 2, value // 2, rng.randint(1, most), rng.randint(1, most))
        )
        return str(number if signed else abs(number) or 1)
    if _DECIMAL.fullmatch(word):
        places = len(word.partition(".")[2])
        return f"{float(word) * rng.choice((0.5, 2.0, 1.1)) + rng.choice((0.0, 1.0)):.{places}f}"
    letters = list(word)
    if rng.random() < 0.5:
        rng.shuffle(letters)
        return "".join(letters)
    at = rng.randrange(len(letters))
    letters[at] = rng.choice(word if len(set(word)) > 1 or not word.isalpha() else "abcxyz")
    return "".join(letters)
