"""The HumanEval form of a problem: a prompt that is Python up to the body, and tests that define `check`."""

from __future__ import annotations

import ast
import io
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from codesample.errors import DataError
from codesample.records import Problem, Tests
from codesample.tasks.examples import prompt_examples
from codesample.tasks.reader import Row

__all__ = ["STOP", "function_problem", "leading_code"]

# the five of arXiv:2107.03374, section 2.1: each begins something that is no longer the function's body
STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def function_problem(row: Row, *, metadata: Mapping[str, Any] | None = None) -> Problem:
    """Build a problem from a row with `task_id`, `prompt`, `entry_point`, `test` and `canonical_solution`.

    The prompt is kept to the letter. What it defines before the function asked for (imports, helpers) is
    trusted and given to the tests.

    Raises:
        DataError: a field is missing or the prompt does not define `entry_point`; names file and line.
    """
    prompt, entry_point = row.get("prompt", str), row.get("entry_point", str)
    return Problem(
        task_id=row.get("task_id", str),
        prompt=prompt,
        description=prompt,
        entry_point=entry_point,
        tests=Tests(
            source=f"{row.get('test', str)}\n\ncheck({entry_point})\n",
            entry_point=entry_point,
            stub=leading_code(prompt, entry_point, where=row.where),
        ),
        examples=prompt_examples(prompt, entry_point),
        reference=row.get("canonical_solution", str, None),
        metadata=dict(metadata or {}),
    )


def leading_code(prompt: str, entry_point: str, *, where: str) -> str:
    """Return what `prompt` defines before `entry_point`, as Python source; "" where it defines nothing.

    Raises:
        DataError: the prompt with an empty body is not Python, or does not define `entry_point`.
    """
    try:
        body = _parsed(prompt.rstrip())
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{where}: the prompt is not Python up to a function's body: {error}") from error
    for position, node in enumerate(body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry_point:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            # lines as Python counts them; str.splitlines would end one at a form feed or U+2028 too
            lines = list(io.StringIO(prompt, newline=""))
            return "".join(lines[: first - 1]) if position else ""
    raise DataError(f"{where}: the prompt does not define entry_point {entry_point!r}")


def _parsed(prompt: str) -> list[ast.stmt]:
    """Parse a prompt whose last function may still lack its body; a docstring alone is one."""
    last = prompt.rpartition("\n")[2]
    indent = last[: len(last) - len(last.lstrip())]
    bodies = ("", f"\n{indent}pass\n", f"\n{indent}    pass\n")
    for body in bodies[:-1]:
        with suppress(SyntaxError):
            return ast.parse(prompt + body).body
    return ast.parse(prompt + bodies[-1]).body
