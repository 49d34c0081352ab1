"""How a model is asked for tests of a problem, as a text to continue or as messages; own wording."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import NamedTuple

from codesample.evaluation.argument_kinds import kinds_of
from codesample.evaluation.stripped_prompt import shown_without_examples
from codesample.records import CallExample, Message, Prompt, PublicView
from codesample.tasks.examples import prompt_examples

__all__ = ["VERSION", "Asking", "asking_for_tests"]

VERSION = "2"
"""Changes with what is asked."""

_FUNCTION = """\
Below is a Python function whose body is left out.

```python
{shown}
```

Write {count} tests of `{name}`: assert statements, one on a line, each of the form \
`assert {name}(...) == value` with literal arguments{taken} and a literal value. \
Work out each value from the description with care, and choose \
inputs that differ: small ones, larger ones, and those at the edge of what is described. Do not write the \
function, and no comments."""

_TEXT = """\
Below is a task that a Python function `{name}` is to solve.

{shown}

Write {count} tests of `{name}`: assert statements, one on a line, each of the form \
`assert {name}(...) == value` with literal arguments{taken} and a literal value. \
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
    kinds = kinds_of(view)
    begun = f"assert {name}({kinds.opening}"
    code = _as_code(shown, name)
    if chat:
        taken = f" (of the types {kinds.words})" if kinds.words else ""
        wording = _TEXT if code is None else _FUNCTION
        asked = wording.format(shown=(code or shown).strip("\n"), name=name, count=count, taken=taken)
        turns = (Message("user", asked), Message("assistant", f"```python\n{begun}"))
        return Asking(turns, begun, ("\n```",), _FUNCTION_TOKENS)
    taken = f", of the types {kinds.words}" if kinds.words else ""
    body = f'"""\n{shown.strip()}\n"""\n{_header(view, name)}' if code is None else code.rstrip()
    text = f"{body}\n    pass\n\n\n# Each line says what {name} returns for one input{taken}.\n{begun}"
    return Asking(
        text, begun, ("\nclass ", "\ndef ", "\nif ", "\nprint", "\nimport ", "\nfrom "), _FUNCTION_TOKENS
    )


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
