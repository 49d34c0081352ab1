"""Tests that a model writes: asked for in one stream of requests, read out of its answers, each kept once."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from codesample.evaluation.assert_reading import Found, read_asserts
from codesample.evaluation.test_options import TestOptions
from codesample.records import CallExample, PublicView, ScriptExample
from codesample.rerankers.made_once import Assert, Cost, GeneratedTests

__all__ = ["names_of_prompt", "read_script_cases", "tests_as_json", "tests_from_json", "tests_of_texts"]

_LONGEST_INPUT, _LONGEST_TEXT = 10_000, 40_000
_LABEL = re.compile(r"^\W*(?:sample |example |test )?(input|output)s?\b[\s\d#*]*(?:\([^)]*\))?\W*$", re.I)
_DEFINED = re.compile(r"^(?:async +)?(?:def|class) +([A-Za-z_]\w*)", re.M)


def tests_of_texts(texts: Iterable[str], view: PublicView, options: TestOptions) -> GeneratedTests:
    """Return the tests that texts hold, equal ones once, those that most texts hold first.

    Args:
        texts: What a model wrote, with the beginning that it was given.
        view: The problem.
        options: How many of each text and in all are taken.
    """
    known = names_of_prompt(view)
    written: Counter[str] = Counter()
    found: dict[str, Found] = {}
    inputs: dict[str, None] = {}
    for text in texts:
        of_text: set[str] = set()
        read = (
            _as_found(read_script_cases(text))
            if view.entry_point is None
            else read_asserts(text, view.entry_point, known)
        )
        for each in read:
            if each.statement and each.statement not in of_text:
                if len(of_text) == options.asserts_per_sample:
                    break
                of_text.add(each.statement)
                found.setdefault(each.statement, each)
            inputs.update(dict.fromkeys(each.calls))
        written.update(of_text)
    shown = _shown(view)
    # sorting keeps the order in which equally frequent ones came
    most = sorted(found.values(), key=lambda each: -written[each.statement])[: options.max_tests]
    asserts = tuple(
        Assert(
            each.statement,
            each.call,
            each.expected,
            written[each.statement],
            (each.call, each.expected) in shown,
        )
        for each in most
    )
    ordered = dict.fromkeys([*(call for each in most for call in each.calls), *inputs])
    return GeneratedTests(asserts, tuple(ordered)[: options.max_tests])


def read_script_cases(text: str) -> list[tuple[str, str | None]]:
    """Return the inputs that a text holds, with their outputs where it states them, in their order.

    An input or an output follows a line that says so, in a fence, or up to an empty line or the next label.
    One whose fence does not end was cut off, and is left out.
    """
    cases: list[tuple[str, str | None]] = []
    for label, content in _labelled(text[:_LONGEST_TEXT]):
        if label == "input":
            if content.strip() and len(content) <= _LONGEST_INPUT and _can_be_written(content):
                cases.append((f"{content.strip(chr(10))}\n", None))
            else:
                cases.append(("", None))
        elif cases and cases[-1][1] is None and _can_be_written(content):
            cases[-1] = (cases[-1][0], content.strip("\n"))
    return [each for each in cases if each[0]]


def names_of_prompt(view: PublicView) -> frozenset[str]:
    """Return the functions and classes that a prompt defines."""
    return frozenset(_DEFINED.findall(view.prompt))


def tests_as_json(tests: GeneratedTests) -> dict[str, Any]:
    """Return tests as plain JSON data."""
    return {
        "asserts": [
            [each.statement, each.call, each.expected, each.written, each.shown] for each in tests.asserts
        ],
        "inputs": list(tests.inputs),
        "tokens_drawn": tests.cost.tokens_drawn,
        "seconds": tests.cost.seconds,
    }


def tests_from_json(value: dict[str, Any]) -> GeneratedTests:
    """Return what `tests_as_json` was given."""
    return GeneratedTests(
        tuple(Assert(*each) for each in value["asserts"]),
        tuple(value["inputs"]),
        Cost(tokens_drawn=value["tokens_drawn"], seconds=value["seconds"]),
    )


def _as_found(cases: Iterable[tuple[str, str | None]]) -> list[Found]:
    return [
        Found("", None, None, (given,))
        if wanted is None
        else Found(f"assert printed({given!r}) == {wanted!r}", given, wanted, (given,))
        for given, wanted in cases
    ]


def _labelled(text: str) -> Iterator[tuple[str, str]]:
    """Yield each stretch of text that stands behind a line saying "input" or "output", with that word."""
    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        found = _LABEL.match(lines[at]) if len(lines[at]) < 60 else None
        at += 1
        if found is None:
            continue
        while at < len(lines) and not lines[at].strip():
            at += 1
        fenced = at < len(lines) and lines[at].lstrip().startswith("```")
        begin = at = at + fenced
        while at < len(lines) and not _ends(lines[at], fenced=fenced):
            at += 1
        if fenced and at == len(lines):
            return
        yield found[1].lower(), "\n".join(lines[begin:at])
        at += fenced


def _ends(line: str, *, fenced: bool) -> bool:
    if fenced:
        return line.lstrip().startswith("```")
    return not line.strip() or bool(_LABEL.match(line))


def _can_be_written(text: str) -> bool:
    with suppress(UnicodeEncodeError):
        return "\x00" not in text.encode().decode()
    return False


def _shown(view: PublicView) -> set[tuple[str | None, str | None]]:
    """Return the sides of the prompt's examples, as those of asserts are spelt."""
    pairs: set[tuple[str | None, str | None]] = set()
    for each in view.examples:
        if isinstance(each, ScriptExample):
            pairs.add((f"{each.input.strip(chr(10))}\n", each.output.strip("\n")))
        elif isinstance(each, CallExample):
            with suppress(SyntaxError, ValueError, RecursionError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                pairs.add((_spelt(each.call), _spelt(each.expected)))
    return pairs


def _spelt(expression: str) -> str:
    return ast.unparse(ast.parse(f"({expression})", mode="eval").body)
