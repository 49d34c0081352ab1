"""Programs as texts that can be compared: without what no interpreter sees, nor the names of locals."""

from __future__ import annotations

import ast
import functools
import itertools
import symtable
import warnings
from collections.abc import Callable, Iterator, Sequence

from codesample.records import Candidate

__all__ = ["bare", "is_text_alone", "normal_form", "parsed", "text_of", "without", "written"]

_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_SEES_NAMES = frozenset({"dir", "eval", "exec", "globals", "locals", "vars"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_HOLDS_NAME: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Name: ("id",),
    ast.arg: ("arg",),
    ast.FunctionDef: ("name",),
    ast.AsyncFunctionDef: ("name",),
    ast.ClassDef: ("name",),
    ast.ExceptHandler: ("name",),
    ast.MatchAs: ("name",),
    ast.MatchStar: ("name",),
    ast.MatchMapping: ("rest",),
}


def text_of(candidate: Candidate) -> str:
    """Return a candidate's program, or what was written where there is none yet."""
    return candidate.completion if candidate.program is None else candidate.program


def parsed(program: str) -> ast.Module | None:
    """Return a program's tree; None where it is no Python, or too deep to be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(program)
        except _BROKEN:
            return None


def written(tree: ast.AST) -> str | None:
    """Return a tree as a text, one for all that differ in layout and comments; None where it is too deep."""
    try:
        return ast.unparse(tree)
    except _BROKEN:
        return None


def is_text_alone(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text and nothing else, such as a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def without(tree: ast.Module, unwanted: Callable[[ast.stmt], bool] = is_text_alone) -> ast.Module:
    """Take statements out of a tree, such as docstrings and other texts alone, and return it."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            found = getattr(node, field, None)
            if isinstance(found, list) and any(map(unwanted, found)):
                kept = [each for each in found if not unwanted(each)]
                needs_one = field == "body" and not isinstance(node, ast.Module)
                setattr(node, field, kept or ([ast.Pass()] if needs_one else []))
    return tree


@functools.lru_cache(maxsize=4096)
def bare(program: str) -> str | None:
    """Return a program without comments, docstrings and layout; None where it is no Python."""
    tree = parsed(program)
    return None if tree is None else written(without(tree))


@functools.lru_cache(maxsize=4096)
def normal_form(program: str) -> str:
    """Return a text that is equal for programs which differ in layout, comments and local names alone.

    Names that a function and all within it use for its own locals are numbered in the order in which they
    come. Names that something else may see keep what they are called: of arguments that are given by
    keyword anywhere, of attributes, of globals, and all in a function that looks its names up.
    Texts that are no Python are compared as they are, blanks at both ends aside.
    """
    tree = parsed(program)
    if tree is None:
        return program.strip()
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}
    tables = _function_tables(program)
    for function in _outermost_functions(tree.body):
        table = tables.get((function.name, function.lineno))
        if table is not None and not _names_in(table) & _SEES_NAMES:
            _number(function, _local_names(table) - keywords)
    return written(without(tree)) or program.strip()


def _outermost_functions(statements: Sequence[ast.stmt]) -> Iterator[_Function]:
    for each in statements:
        if isinstance(each, _Function):
            yield each
        elif isinstance(each, ast.ClassDef):
            yield from _outermost_functions(each.body)


def _function_tables(program: str) -> dict[tuple[str, int], symtable.SymbolTable]:
    """Return what the compiler knows of each function's names, by the function's name and line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = symtable.symtable(program, "program", "exec")
        except _BROKEN:
            # a tree that no compiler takes, such as one with a return outside of functions
            return {}
    return {(each.get_name(), each.get_lineno()): each for each in _tables(table)}


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield a table and all within it; of two on one line, the outer one last."""
    found, waiting = [], [table]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += each.get_children()
    return reversed(found)


def _names_in(table: symtable.SymbolTable) -> set[str]:
    return {name for each in _tables(table) for name in each.get_identifiers()}


def _local_names(table: symtable.SymbolTable) -> set[str]:
    """Return the names that are locals of a function, or of one within it, wherever in it they come."""
    local, elsewhere = set(), set()
    for each in _tables(table):
        for symbol in each.get_symbols():
            name = symbol.get_name()
            seen = symbol.is_global() or symbol.is_imported() or each.get_type() == "class"
            if seen or name.startswith("__"):
                elsewhere.add(name)
            elif symbol.is_local():
                local.add(name)
    return local - elsewhere


def _number(function: _Function, names: set[str]) -> None:
    """Give locals of a function numbers in place of names; what stands in its head belongs to others."""
    numbers: dict[str, str] = {}

    def number(name: str) -> str:
        # no identifier is called so
        return numbers.setdefault(name, f"${len(numbers)}") if name in names else name

    given = function.args
    heads = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    inside = (node for statement in function.body for node in ast.walk(statement))
    for node in itertools.chain(filter(None, heads), inside):
        for field in _HOLDS_NAME.get(type(node), ()):
            setattr(node, field, number(getattr(node, field)))
        if isinstance(node, ast.Nonlocal):
            node.names = [number(each) for each in node.names]
