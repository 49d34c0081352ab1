"""Decide from the text of tests in which form they judge: split from the program, or weak, beside it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from codesample.execution.worker.form_rules.attributes import EntryIsClass
from codesample.execution.worker.form_rules.library import exported_names, known_modules
from codesample.execution.worker.form_rules.rules import Weak
from codesample.execution.worker.form_rules.scopes import Names, Outside, parsed
from codesample.execution.worker.form_rules.statements import Statements
from codesample.records import CodeTests

__all__ = ["Form", "form_of", "starred_names"]

_MOST_READINGS = 50


@dataclass(frozen=True, slots=True)
class Form:
    """How tests are run.

    Attributes:
        split: Whether they can be run in another process than the program, with the outcome that Python
            gives in one.
        reason: Why they cannot, with the line; "" where they can.
        harmless: Whether they are proven to leave the interpreter that runs them as it was.
    """

    split: bool
    reason: str = ""
    harmless: bool = False


def form_of(tests: CodeTests) -> Form:
    """Decide how tests are run, from their own text alone; a program has no say in it.

    What is not known here makes tests weak. The tests are read as Python would run them, on sets of kinds
    in place of values, again and again until nothing new is learnt.

    Args:
        tests: Trusted; their mode is not looked at.

    Raises:
        SyntaxError: a part of them is not Python.
    """
    parts = [("stub ", tests.stub), ("", tests.source)]
    parts += [(f"check {number}, ", check) for number, check in enumerate(tests.checks, 1)]
    try:
        places = [(place, parsed(text)) for place, text in parts]
        return _form(places, tests.entry_point)
    except (RecursionError, MemoryError):
        return Form(split=False, reason="the tests are nested too deeply to be read")


def _form(places: list[tuple[str, ast.Module]], entry_point: str | None) -> Form:
    trees = [tree for _, tree in places]
    is_class = False
    while True:
        names = Names(trees)
        reader = Statements(names, Outside(names, entry_point, is_class=is_class))
        try:
            return _read(reader, places)
        except Weak as weak:
            return Form(split=False, reason=str(weak))
        except EntryIsClass:
            is_class = True


def _read(reader: Statements, places: list[tuple[str, ast.Module]]) -> Form:
    for _ in range(_MOST_READINGS):
        reader.changed = False
        for place, tree in places:
            reader.place, reader.in_stub = place, place == "stub "
            reader.run(tree.body)
        if not reader.changed:
            return Form(split=True, harmless=reader.harmless)
    return Form(split=False, reason="the tests are too involved to be read")


def starred_names(text: str) -> set[str]:
    """Return what a text imports by `*` from modules that tests may use; raises SyntaxError."""
    try:
        tree = parsed(text)
    except (RecursionError, MemoryError):
        return set()
    known = set(known_modules())
    return {
        name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and node.module in known
        for name in exported_names(node.module)
    }
