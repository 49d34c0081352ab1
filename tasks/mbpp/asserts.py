"""What the asserts of an MBPP problem rely on, told from the asserts and the data set's own solution."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Sequence

__all__ = ["function_asked_for", "modules_relied_on"]


def function_asked_for(code: str, tests: Sequence[str]) -> str | None:
    """Return the function that the solution defines and every assert calls; None if there is not just one.

    The data set does not state it. A built-in's name counts too: Mbpp/126 asks for a function `sum`.

    Raises:
        SyntaxError: the solution or an assert is not Python.
    """
    defined = {node.name for node in _parse(code).body if isinstance(node, ast.FunctionDef)}
    called = [
        {node.func.id for node in ast.walk(_parse(test)) if _calls_a_name(node)}  # type: ignore[attr-defined]
        for test in tests
    ]
    asked = defined.intersection(*called)
    return asked.pop() if len(asked) == 1 else None


def modules_relied_on(code: str, tests: Sequence[str]) -> tuple[str, ...]:
    """Return the standard modules that the asserts name and only the solution imports: `sys` in a few.

    The published way runs asserts and solution in one namespace, where a solution's import serves both.

    Raises:
        SyntaxError: the solution or an assert is not Python.
    """
    used = {node.id for test in tests for node in ast.walk(_parse(test)) if isinstance(node, ast.Name)}
    imports = (node for node in ast.walk(_parse(code)) if isinstance(node, ast.Import))
    imported = {alias.name for node in imports for alias in node.names if not alias.asname}
    return tuple(sorted(used & imported & sys.stdlib_module_names))


def _calls_a_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        # solutions of the data set hold escapes such as "\\d" outside raw strings
        warnings.simplefilter("ignore")
        return ast.parse(source)
