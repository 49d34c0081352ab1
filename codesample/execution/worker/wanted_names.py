"""Which names tests expect of the program, read off their text."""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Wanted", "wanted_names"]

_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__builtins__"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names that tests read and never bind.

    Attributes:
        program: Those the program must supply, the entry point first.
        modules: Standard modules that the tests use without importing them, as some data sets do.
        bound: Names that the tests bind for the whole of themselves.
        rebound: Those of them that they also read, and may so read before: the program's, where it has any.
        own: All of them that they also read, but for those that they read first: such a name is the
            program's, and what the tests bind to it is meant for the program.
    """

    program: tuple[str, ...]
    modules: tuple[str, ...]
    bound: tuple[str, ...] = ()
    rebound: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()


def wanted_names(source: str, entry_point: str | None, given: Collection[str] = ()) -> Wanted:
    """Find the names that `source` needs from outside.

    Args:
        source: Tests.
        entry_point: The function they are about, if they say.
        given: Names that are there before the tests begin, such as those of the prompt's stub.

    Built-in names are never taken from the program, for then it could redefine what its tests compute
    with; the exception is tests without any other name to test, whose program is called like a built-in.

    Raises:
        SyntaxError: `source` is not Python.
    """
    read, bound, assigned = _global_names(source)
    missing = [name for name in read if name not in bound and name not in _BUILTINS and name not in given]
    modules = {name for name in missing if name in sys.stdlib_module_names and name != entry_point}
    if modules:
        modules &= {
            node.value.id
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
    program = [name for name in missing if name not in modules and name != entry_point]
    if entry_point:
        program.insert(0, entry_point)
    elif not program:
        called = _called(ast.parse(source))
        program = sorted(
            {name for name in called if name in read and name not in bound and name not in given}
        )
    theirs = bound - set(program)
    own = theirs.intersection(read)
    places = _first_places(ast.parse(source)) if own & assigned else {}
    return Wanted(
        program=tuple(program),
        modules=tuple(sorted(modules)),
        bound=tuple(sorted(theirs)),
        rebound=tuple(sorted(own.difference(_BUILTINS, given))),
        own=frozenset(name for name in own if not _reads_first(places.get(name, {}))),
    )


def _global_names(source: str) -> tuple[dict[str, None], set[str], set[str]]:
    """Global names that are read, in a stable order, that are bound, and that are so by assignment alone."""
    table = symtable.symtable(source, "<tests>", "exec")
    read: dict[str, None] = {}
    bound, assigned = set(), set()
    for symbol in table.get_symbols():
        if symbol.is_imported() or symbol.is_namespace():
            bound.add(symbol.get_name())
        elif symbol.is_assigned():
            assigned.add(symbol.get_name())
    pending = [table]
    while pending:
        scope = pending.pop()
        for symbol in scope.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (symbol.is_global() or scope is table):
                read[symbol.get_name()] = None
        pending.extend(scope.get_children())
    return read, bound | assigned, assigned


def _first_places(tree: ast.AST) -> dict[str, dict[type, tuple[int, int]]]:
    """Return where code outside of functions first reads and first binds each name, by name and context."""
    places: dict[str, dict[type, tuple[int, int]]] = {}
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            place = (node.lineno, node.col_offset)
            known = places.setdefault(node.id, {})
            known[type(node.ctx)] = min(place, known.get(type(node.ctx), place))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
    return places


def _reads_first(places: dict[type, tuple[int, int]]) -> bool:
    return ast.Load in places and ast.Store in places and places[ast.Load] < places[ast.Store]


def _called(tree: ast.AST) -> set[str]:
    """Names that are called outright."""
    functions = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {function.id for function in functions if isinstance(function, ast.Name)}
