"""What a data set's own grader gives to every program: names imported for it, a function it may return from.

Such a grader runs each program behind a list of imports, so that programs of its data set, references
included, rely on them. Here a program is run as it is, behind those of the imports that it relies on.
"""

from __future__ import annotations

import ast
import importlib
import io
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

__all__ = ["GivenNames", "as_script", "with_method_as_function"]

_SCRIPT = "_program"
_NO_ARGUMENTS = ast.arguments([], [], None, [], [], None, [])
_NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True)
class GivenNames:
    """The imports that a grader puts before each program.

    Attributes:
        imports: Import statements of standard modules; of two that bind one name the later counts.
        first: One line of Python that every program has behind these, whatever it relies on; "" for none.
    """

    imports: str
    first: str = ""

    def before(self, program: str) -> str:
        """Return a program behind the imports that it relies on: names that it reads and does not bind.

        They take one line, or stand in the line of the program's own imports from `__future__`, behind these.
        What is no Python is left as it is.
        """
        try:
            tree = _parsed(program)
            needed = sorted({self._statements[name] for name in _free_names(program) & set(self._statements)})
        except _NO_PYTHON:
            return program
        line = "; ".join([*needed, self.first] if self.first else needed)
        if not line:
            return program
        futures = [node for node in tree.body if isinstance(node, ast.ImportFrom) and _is_future(node)]
        if not futures:
            return f"{line}\n{program}"
        row, column = futures[-1].end_lineno or 0, futures[-1].end_col_offset or 0
        # lines as Python counts them; str.splitlines would end one at a form feed or U+2028 too
        lines = list(io.StringIO(program, newline=""))
        # columns are those of UTF-8
        last = lines[row - 1].encode("utf-8", "surrogatepass")
        begin, rest = (part.decode("utf-8", "surrogatepass") for part in (last[:column], last[column:]))
        return "".join([*lines[: row - 1], f"{begin}; {line}{rest}", *lines[row:]])

    @cached_property
    def _statements(self) -> dict[str, str]:
        """Which statement binds each name, once all of them have run."""
        statements: dict[str, str] = {}
        for node in ast.parse(self.imports).body:
            for name, statement in _bindings(node):
                statements[name] = statement
                if statement.startswith("from builtins "):
                    # what an earlier module hid is itself again
                    del statements[name]
        return statements


def as_script(program: str) -> str:
    """Return a program that can be run as a script: one that returns at its top level, as a function's body.

    A grader that runs scripts inside of a function lets them end so. The program's own imports stay outside
    of the function, for `from math import *` is allowed nowhere else.
    """
    try:
        tree = _parsed(program)
        if not any(_returns(node) for node in tree.body):
            return program
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        function = ast.FunctionDef(_SCRIPT, _NO_ARGUMENTS, body, [], lineno=1)
        call = ast.Expr(ast.Call(ast.Name(_SCRIPT), [], []))
        return ast.unparse(ast.Module([*imports, function, call], [])) + "\n"
    except _NO_PYTHON:
        return program


def with_method_as_function(program: str, name: str) -> str:
    """Return a program whose class `Solution` serves function `name` by its method of that name.

    So are programs called that were written for LeetCode: the method of one object, made without arguments. A
    function of that name counts where the class shows no such method.
    """
    try:
        body = _parsed(program).body
    except _NO_PYTHON:
        return program
    classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == "Solution"]
    if not classes or (_defines(body, name) and not _defines(classes[-1].body, name)):
        return program
    return f"{program.rstrip()}\n\n{name} = Solution().{name}\n"


def _defines(body: list[ast.stmt], name: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in body
    )


def _returns(node: ast.AST) -> bool:
    """Whether a statement of a module returns, outside of any function."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return False
    return isinstance(node, ast.Return) or any(map(_returns, ast.iter_child_nodes(node)))


def _free_names(program: str) -> set[str]:
    """Return the names that a program reads as globals and binds nowhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        top = symtable.symtable(program, "<program>", "exec")
    read: set[str] = set()
    bound = {each.get_name() for each in top.get_symbols() if each.is_assigned() or each.is_imported()}
    scopes = [top]
    while scopes:
        scope = scopes.pop()
        for each in scope.get_symbols():
            if each.is_declared_global() and each.is_assigned():
                bound.add(each.get_name())
            if each.is_referenced() and (scope is top or each.is_global()):
                read.add(each.get_name())
        scopes.extend(scope.get_children())
    return read - bound


def _bindings(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield the names that an import binds, each with a statement that binds it alone."""
    match node:
        case ast.ImportFrom(module=str(module), names=[ast.alias(name="*")]):
            source = importlib.import_module(module)
            public = getattr(source, "__all__", None) or [n for n in vars(source) if not n.startswith("_")]
            yield from ((name, f"from {module} import {name}") for name in public)
        case ast.ImportFrom(module=str(module), names=names):
            for each in names:
                yield each.asname or each.name, f"from {module} {ast.unparse(ast.Import([each]))}"
        case ast.Import(names=names):
            for each in names:
                yield each.asname or each.name.partition(".")[0], ast.unparse(ast.Import([each]))


def _is_future(node: ast.ImportFrom) -> bool:
    return node.module == "__future__" and node.level == 0


def _parsed(program: str) -> ast.Module:
    with warnings.catch_warnings():
        # programs hold escapes such as "\\d" outside raw strings
        warnings.simplefilter("ignore")
        return ast.parse(program)
