"""The HumanEval form of a problem: a prompt that is Python up to the body, and tests that define `check`."""

from __future__ import annotations

import ast
import io
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from codesample.data_files import Entry
from codesample.errors import DataError
from codesample.records import CodeTests, Problem
from codesample.tasks.examples import prompt_examples

__all__ = [
    "STOP",
    "FunctionEntry",
    "begins_class",
    "function_problem",
    "leading_code",
    "plain_imports",
    "stub_of",
]

# the five of arXiv:2107.03374, section 2.1: each begins something that is no longer the function's body
STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PLAIN_MODULES = frozenset(
    {"bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq"}
    | {"itertools", "json", "math", "operator", "random", "re", "statistics", "string", "typing"}
)


class FunctionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of HumanEval's published form."""

    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str | None = None


def function_problem(entry: Entry[FunctionEntry], *, metadata: Mapping[str, Any] | None = None) -> Problem:
    """Build a problem from an entry of HumanEval's form.

    The prompt is kept to the letter. What it defines before the function asked for (imports, helpers) is
    trusted and given to the tests.

    Raises:
        DataError: the prompt does not define `entry_point`; names file and line.
    """
    record = entry.record
    return Problem(
        task_id=record.task_id,
        prompt=record.prompt,
        description=record.prompt,
        entry_point=record.entry_point,
        tests=CodeTests(
            source=f"{record.test}\n\ncheck({record.entry_point})\n",
            entry_point=record.entry_point,
            stub=leading_code(record.prompt, record.entry_point, where=entry.where),
            reference=None
            if record.canonical_solution is None
            else record.prompt + record.canonical_solution,
        ),
        examples=prompt_examples(record.prompt, record.entry_point),
        reference=record.canonical_solution,
        metadata=dict(metadata or {}),
    )


def stub_of(problem: Problem) -> str:
    """Return the trusted definitions of a problem's prompt, for statements about its programs.

    They are those that its tests are given, and for tests by inputs, which state none, what the prompt
    defines before the function asked for. Where the tests are not trusted, neither is the prompt: statements
    run outside of the sandbox, so of its definitions only the imports of plain modules are left.
    """
    if isinstance(problem.tests, CodeTests):
        if problem.tests.mode == "in_process":
            return plain_imports(problem.prompt, problem.entry_point)
        return problem.tests.stub
    return _leading_code(problem.prompt, problem.entry_point)


def plain_imports(prompt: str, entry_point: str | None) -> str:
    """Return the imports of a prompt that nobody vouches for, of modules that do nothing but compute."""
    found = []
    for node in ast.parse(_leading_code(prompt, entry_point)).body:
        match node:
            case ast.Import(names=names):
                modules = {each.name for each in names}
            case ast.ImportFrom(module=str(module), level=0):
                modules = {module}
            case _:
                continue
        if modules <= _PLAIN_MODULES:
            found.append(f"{ast.unparse(node)}\n")
    return "".join(found)


def _leading_code(prompt: str, entry_point: str | None) -> str:
    """Return what `leading_code` does; "" where the prompt is no such Python."""
    with suppress(DataError):
        return leading_code(prompt, entry_point, where="") if entry_point else ""
    return ""


def leading_code(prompt: str, entry_point: str, *, where: str) -> str:
    """Return what `prompt` defines before `entry_point`, as Python source; "" where it defines nothing.

    The entry point is a function or a class.

    Raises:
        DataError: the prompt with an empty body is not Python, or does not define `entry_point`.
    """
    try:
        body = _parsed(prompt.rstrip())
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"{where}: the prompt is not Python up to a function's body: {error}") from error
    for position, node in enumerate(body):
        if isinstance(node, _DEFINITIONS) and node.name == entry_point:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            # lines as Python counts them; str.splitlines would end one at a form feed or U+2028 too
            lines = list(io.StringIO(prompt, newline=""))
            return "".join(lines[: first - 1]) if position else ""
    raise DataError(f"{where}: the prompt does not define entry_point {entry_point!r}")


def begins_class(prompt: str, name: str | None) -> bool:
    """Tell whether a prompt of this form begins a class of that name."""
    with suppress(SyntaxError, ValueError, RecursionError):
        body = _parsed(prompt.rstrip())
        return any(isinstance(node, ast.ClassDef) and node.name == name for node in body)
    return False


def _parsed(prompt: str) -> list[ast.stmt]:
    """Parse a prompt whose last function may still lack its body; a docstring alone is one."""
    last = prompt.rpartition("\n")[2]
    indent = last[: len(last) - len(last.lstrip())]
    bodies = ("", f"\n{indent}pass\n", f"\n{indent}    pass\n")
    with warnings.catch_warnings():
        # docstrings hold escapes such as "\d"
        warnings.simplefilter("ignore")
        for body in bodies[:-1]:
            with suppress(SyntaxError):
                return ast.parse(prompt + body).body
        return ast.parse(prompt + bodies[-1]).body
