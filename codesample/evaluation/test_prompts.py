"""How a model is asked for tests of a problem, as a text to continue or as messages; own wording."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from typing import NamedTuple

from codesample.records import CallExample, Message, Prompt, PublicView
from codesample.tasks.examples import prompt_examples

__all__ = ["VERSION", "Asking", "asking_for_tests", "shown_without_examples"]

VERSION = "1"
"""Changes with what is asked."""

_FUNCTION = """\
Below is a Python function whose body is left out.

```python
{shown}
```

Write {count} tests of `{name}`: assert statements, one on a line, each of the form \
`assert {name}(...) == value` with literal arguments and a literal value. \
Work out each value from the description with care, and choose \
inputs that differ: small ones, larger ones, and those at the edge of what is described. Do not write the \
function, and no comments."""

_TEXT = """\
Below is a task that a Python function `{name}` is to solve.

{shown}

Write {count} tests of `{name}`: assert statements, one on a line, each of the form \
`assert {name}(...) == value` with literal arguments and a literal value. \
Work out each value from the task with care, and choose inputs \
that differ: small ones, larger ones, and those at the edge of what is described. Do not write the function, \
and no comments."""

_SCRIPT = """\
Below is a task for a program that reads standard input and prints its answer.

{shown}

Write {count} tests of such a program. Give each as an input and the output that is right for it, like this:

Input:
```
(what the program reads)
```
Output:
```
(what it prints)
```

Keep inputs small, in exactly the format that the task describes, and different from each other; work out \
each output with care. Write no program."""

_FUNCTION_TOKENS, _SCRIPT_TOKENS = 320, 512
_HEADING = re.compile(
    r"^\W*(?:for\s+)?(?:examples?|e\.g\.|sample (?:input|output|test|case)s?)\b.{0,12}$", re.I
)
_REFERENCE_TO_TESTS = re.compile(
    r"[^.\n]*\b(?:should|must)\s+(?:pass|satisfy)\s+(?:these|this|the\s+following)\s+tests?\W*$|^\[BEGIN\]$",
    re.I | re.M,
)
_SCRIPT_EXAMPLE = re.compile(r"^\W*(?:sample|example|examples)\b.*$|^\W*-{2,}\s*(?:example|sample).*$", re.I)


class Asking(NamedTuple):
    """A request for tests.

    Attributes:
        prompt: What the model is given.
        begun: What of the answer the prompt holds, such as "assert f(".
        stop: What ends an answer.
        max_new_tokens: Limit of an answer.
    """

    prompt: Prompt
    begun: str
    stop: tuple[str, ...]
    max_new_tokens: int


def asking_for_tests(view: PublicView, *, chat: bool, count: int) -> Asking:
    """Say how a model is asked for tests of a problem.

    The prompt's examples are left out of what it is shown, so that it cannot copy them.

    Args:
        view: The problem; one without an entry point is a script's.
        chat: Whether the model answers messages.
        count: How many tests a chat model is asked for.
    """
    shown, name = shown_without_examples(view), view.entry_point
    if name is None:
        begun = "Input:\n```\n"
        if chat:
            turns = (Message("user", _SCRIPT.format(shown=shown, count=count)), Message("assistant", begun))
            return Asking(turns, begun, (), _SCRIPT_TOKENS)
        text = f"{shown}\n\nFurther inputs, each with the output that is right for it.\n\n{begun}"
        return Asking(text, begun, (), _SCRIPT_TOKENS)
    begun = f"assert {name}("
    code = _as_code(shown, name)
    if chat:
        wording = _TEXT if code is None else _FUNCTION
        asked = wording.format(shown=(code or shown).strip("\n"), name=name, count=count)
        turns = (Message("user", asked), Message("assistant", f"```python\n{begun}"))
        return Asking(turns, begun, ("\n```",), _FUNCTION_TOKENS)
    body = f'"""\n{shown.strip()}\n"""\n{_header(view, name)}' if code is None else code.rstrip()
    text = f"{body}\n    pass\n\n\n# Each line says what {name} returns for one input.\n{begun}"
    return Asking(
        text, begun, ("\nclass ", "\ndef ", "\nif ", "\nprint", "\nimport ", "\nfrom "), _FUNCTION_TOKENS
    )


def shown_without_examples(view: PublicView) -> str:
    """Return the description of a problem without the lines that show examples."""
    text = view.description or view.prompt
    if view.entry_point is None:
        return _without_script_examples(text, view)
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    called = re.compile(rf"(?<![\w.]){re.escape(view.entry_point)}\s*\(")
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith(">>>"):
            at += 1
            while (
                at < len(lines)
                and lines[at].strip()
                and not lines[at].lstrip().startswith((">>>", '"""', "'''"))
            ):
                at += 1
            continue
        if called.search(line) and not re.match(r"\s*(?:async\s+)?(?:def|class)\b", line):
            line = _before_call(line, called)
        if line.strip() or not lines[at].strip():
            kept.append(line)
        at += 1
    return _tidied("\n".join(kept))


def _before_call(line: str, called: re.Pattern[str]) -> str:
    """Return what stands on a line before an example, without words that led to it; "" where that is all.

    A docstring that ends on the line still ends there.
    """
    found = called.search(line)
    before = line[: found.start()] if found else line
    opening = re.match(r'\s*(?:[rR]?"""|[rR]?\'\'\')', before)
    end = next((mark for mark in ('"""', "'''") if found and mark in line[found.end() :]), "")
    words = re.sub(r"(?:\b(?:for\s+)?examples?|\be\.g\.|\bassert|\bi\.e\.)?[\s:,(]*$", "", before, flags=re.I)
    if not re.search(r"[a-z]{3}", words, re.I) and not opening:
        words = ""
    indent = line[: len(line) - len(line.lstrip())]
    return f"{words or (indent if end else '')}{end}"


def _without_script_examples(text: str, view: PublicView) -> str:
    """Leave out the inputs and outputs of a script's examples, and what follows a heading of examples."""
    for each in view.examples:
        for part in (getattr(each, "input", ""), getattr(each, "output", "")):
            if len(part.strip()) > 1:
                text = text.replace(part.strip("\n"), "...")
    lines = text.split("\n")
    return "\n".join(line for line in lines if not (_SCRIPT_EXAMPLE.match(line) and len(line) < 60)).strip()


def _tidied(text: str) -> str:
    """Leave out headings of examples that are gone, and more than one empty line at a time."""
    lines = [line for line in text.split("\n") if not _HEADING.match(line)]
    text = _REFERENCE_TO_TESTS.sub("", "\n".join(lines))
    return re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", text)


def _as_code(shown: str, name: str) -> str | None:
    """Return a description that is the beginning of a program; None where it is prose."""
    for body in ("\n    pass\n", "\n"):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.parse(shown.rstrip() + body).body:
                if (
                    isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                    and node.name == name
                ):
                    return shown.rstrip()
    return None


def _header(view: PublicView, name: str) -> str:
    """Return the first line of a function of which the prompt shows none, as its examples call it."""
    calls = [each.call for each in view.examples if isinstance(each, CallExample)]
    for call in calls or [each.call for each in prompt_examples(view.prompt, name)]:
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(call, mode="eval")):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                    return f"def {name}({', '.join('abcdefghij'[: len(node.args)])}):"
    return f"def {name}(*arguments):"
