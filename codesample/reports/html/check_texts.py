"""Hidden tests in words: all of them, and the one check that a program failed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codesample.records import CodeTests, InputTests, ScriptTests, Tests, Verdict

__all__ = ["check_text", "first_failed", "hidden_tests_text"]

_LONGEST = 600
_MOST_CASES = 40


def first_failed(verdict: Verdict) -> int | None:
    """Return the place of the first check that did not hold; None where checks have no results."""
    return next((at for at, held in enumerate(verdict.checks) if not held), None)


def check_text(tests: Tests, at: int) -> str:
    """Return one check as a person reads it: a statement, a call with its result, or an input with output."""
    if isinstance(tests, CodeTests):
        return _cut(tests.checks[at]) if at < len(tests.checks) else ""
    if isinstance(tests, InputTests):
        return _call(tests, at) if at < len(tests.inputs) else ""
    if isinstance(tests, ScriptTests) and at < len(tests.cases):
        case = tests.cases[at]
        return f"input:\n{_cut(case.input)}\nexpected output:\n{_cut(case.output)}"
    return ""


def hidden_tests_text(tests: Tests, *, most: int) -> str:
    """Return the hidden tests, at most so many characters of them and of the many cases the first ones."""
    if isinstance(tests, CodeTests):
        text = "\n".join(part for part in (tests.source, *tests.checks) if part)
    else:
        shown = [check_text(tests, at) for at in range(min(tests.check_count, _MOST_CASES))]
        more = tests.check_count - len(shown)
        text = "\n".join([*shown, *([f"... and {more:,} more"] if more else [])])
    return _cut(text, most)


def _call(tests: InputTests, at: int) -> str:
    arguments = ", ".join(_repr(each) for each in tests.inputs[at])
    call = f"{tests.entry_point}({_cut(arguments)})"
    return call if tests.expected is None else f"{call} == {_repr(tests.expected[at])}"


def _repr(value: Any) -> str:
    try:
        return _cut(repr(value))
    except ValueError:
        # Python refuses to spell integers of thousands of digits
        return f"<{type(value).__name__} that is too long to be spelt>"


def _cut(text: str | Sequence[str], most: int = _LONGEST) -> str:
    spelt = text if isinstance(text, str) else "\n".join(text)
    return spelt if len(spelt) <= most else f"{spelt[:most]} ..."
