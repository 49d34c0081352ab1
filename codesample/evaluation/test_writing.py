"""Tests that a model writes: asked for in one stream of requests, read out of its answers, each kept once."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from codesample.evaluation.argument_kinds import kinds_of
from codesample.evaluation.assert_reading import Found, read_asserts
from codesample.evaluation.script_cases import read_script_cases
from codesample.evaluation.test_options import TestOptions
from codesample.records import CallExample, PublicView, ScriptExample
from codesample.rerankers.made_once import Assert, Cost, GeneratedTests

__all__ = ["names_of_prompt", "plain_tests", "read_tests", "restored_tests"]

_DEFINED = re.compile(r"^(?:async +)?(?:def|class) +([A-Za-z_]\w*)", re.M)


def read_tests(texts: Iterable[str], view: PublicView, options: TestOptions) -> GeneratedTests:
    """Return the tests that texts hold, equal ones once, those that most texts hold first.

    Those that pass arguments of other kinds than the function takes, or another number, are left out.

    Args:
        texts: What a model wrote, with the beginning that it was given.
        view: The problem.
        options: How many of each text and in all are taken.
    """
    known, kinds = names_of_prompt(view), kinds_of(view)
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
            if not all(kinds.suit(call, view.entry_point or "") for call in each.calls):
                continue
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


def names_of_prompt(view: PublicView) -> frozenset[str]:
    """Return the functions and classes that a prompt defines."""
    return frozenset(_DEFINED.findall(view.prompt))


def plain_tests(tests: GeneratedTests) -> dict[str, Any]:
    """Return tests as plain JSON data."""
    return {
        "asserts": [
            [each.statement, each.call, each.expected, each.written, each.shown] for each in tests.asserts
        ],
        "inputs": list(tests.inputs),
        "tokens_drawn": tests.cost.tokens_drawn,
        "seconds": tests.cost.seconds,
    }


def restored_tests(value: dict[str, Any]) -> GeneratedTests:
    """Return what `plain_tests` was given."""
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
