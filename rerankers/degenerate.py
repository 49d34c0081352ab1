"""Rerankers that guard against programs which no test is needed to refuse."""

from __future__ import annotations

import ast
import zlib
from collections.abc import Iterator, Sequence

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.program_text import is_text_alone, parsed, text_of, without, written

__all__ = ["degeneracy", "not_degenerate", "reads_arguments", "unread_arguments"]

_LEAST_COMPRESSED = 0.25
_LONGEST_BLOCK, _TIMES = 8, 4
_READ_ALL = {"locals", "vars", "eval", "exec"}
_NO_ARGUMENTS = {"self", "cls"}
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@reranker(per_candidate=True)
def not_degenerate(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score 1, or 0 for a program that is broken, empty or one long repetition.

    It is 0 where the program is no Python, does not define what was asked for, does nothing (`pass`, `...`,
    a bare return, "not implemented", comments and docstrings aside), repeats a block of lines four times in
    a row and more so than anything else, or compresses to a quarter. `degeneracy` says which. Best first in
    a chain, or as a filter, before a score that likes what is short or repetitive.

    Formula: [degeneracy(y) is none]
    Source: the rejection of degenerate solutions of arXiv:2211.16490; parsing, definition and repeated
        blocks are ours
    Needs: nothing
    Cost: nothing
    Leaning: none among programs that do something; a right program that is one long table can be refused
    """
    return float(degeneracy(text_of(candidate), view.entry_point) is None)


def degeneracy(program: str, entry_point: str | None = None) -> str | None:
    """Say what makes a program degenerate, for reports; None for one that is not.

    Args:
        program: Its whole text.
        entry_point: Name of the function or class that it is to define; None for a script.
    """
    tree = parsed(program)
    if tree is None:
        return "is no Python"
    if entry_point is None:
        if all(map(_says_nothing, tree.body)):
            return "does nothing"
    elif not _is_defined(tree, entry_point):
        return f"does not define {entry_point}"
    elif any(map(_is_empty, _definitions(tree, entry_point)[-1:])):
        return f"{entry_point} does nothing"
    text = written(without(tree)) or ""
    if _repeats(text.splitlines()):
        return "repeats itself"
    ratio = len(zlib.compress(text.encode("utf-8", "replace"))) / max(1, len(text.encode("utf-8", "replace")))
    return f"compresses to {ratio:.0%}" if ratio <= _LEAST_COMPRESSED else None


@reranker(per_candidate=True)
def reads_arguments(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score 1, or 0 for a program whose function never looks at one of its arguments.

    A program that ignores what it is given answers another question, and many candidates may ignore the same
    thing: as a filter it keeps consensus from settling on them. 0 as well where the program is no Python or
    does not define the function. Abstains where no function is asked for, or it is a class.

    Formula: [every argument of f is read in its body]
    Source: ours
    Needs: nothing
    Cost: nothing
    Leaning: a right program may have an argument that it need not look at; all candidates then tie, or
        those that mention it are preferred
    """
    if view.entry_point is None:
        return None
    unread = unread_arguments(text_of(candidate), view.entry_point)
    return None if unread is None else float(not unread)


def unread_arguments(program: str, entry_point: str) -> tuple[str, ...] | None:
    """Return the arguments that a function never reads, in their order; None for a class.

    `self`, `cls` and names that begin with "_" are no arguments here; `locals()`, `vars()`, `eval` and `exec`
    read all. Of a program that is no Python or lacks the function, the function's own name stands for them.
    """
    tree = parsed(program)
    found = [] if tree is None else _definitions(tree, entry_point)
    if not found:
        defined = tree is not None and _is_defined(tree, entry_point)
        return None if defined else (entry_point,)
    last = found[-1]
    if isinstance(last, ast.ClassDef):
        return None
    inside = [node for statement in last.body for node in ast.walk(statement)]
    read = {node.id for node in inside if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)}
    if read & _READ_ALL:
        return ()
    given = last.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    named += [each for each in (given.vararg, given.kwarg) if each is not None]
    names = (each.arg for each in named)
    return tuple(name for name in names if name not in read | _NO_ARGUMENTS and not name.startswith("_"))


def _is_defined(tree: ast.Module, name: str) -> bool:
    if _definitions(tree, name):
        return True
    for each in _outside_of_functions(tree):
        if isinstance(each, ast.Import | ast.ImportFrom):
            # what a star brings, only an interpreter knows
            if any((alias.asname or alias.name) in (name, "*") for alias in each.names):
                return True
        elif isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            names = (node for target in targets for node in ast.walk(target))
            if any(isinstance(node, ast.Name) and node.id == name for node in names):
                return True
    return False


def _definitions(tree: ast.Module, name: str) -> list[_Definition]:
    """Return the definitions of a function or class, also as a method of a class, in their order."""
    found = (each for each in _outside_of_functions(tree) if isinstance(each, _Definition))
    return sorted((each for each in found if each.name == name), key=lambda each: each.lineno)


def _outside_of_functions(tree: ast.Module) -> Iterator[ast.stmt]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        for each in ast.iter_child_nodes(waiting.pop()):
            if isinstance(each, ast.stmt):
                yield each
            if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.expr):
                waiting.append(each)


def _is_empty(definition: _Definition) -> bool:
    if isinstance(definition, ast.ClassDef):
        return all(
            _is_empty(each) if isinstance(each, _Definition) else _says_nothing(each)
            for each in definition.body
        )
    return all(map(_says_nothing, definition.body))


def _says_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Return(value=None | ast.Constant(value=None)):
            return True
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ... or is_text_alone(statement)
        case ast.Raise(
            exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))
        ):
            return True
    return False


def _repeats(lines: Sequence[str]) -> bool:
    """Tell whether a block of lines stands at least four times in a row and makes up half of the lines."""
    for size in range(1, _LONGEST_BLOCK + 1):
        run = longest = 0
        for at in range(size, len(lines)):
            run = run + 1 if lines[at] == lines[at - size] else 0
            longest = max(longest, run)
        repeated = longest + size
        if repeated >= _TIMES * size and repeated * 2 >= len(lines):
            return True
    return False
