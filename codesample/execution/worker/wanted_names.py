"""Which names tests expect of the program, read off their text."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from codesample.execution.worker.form_rules.scopes import BUILT_IN, Names, Outside, parsed

__all__ = ["Wanted", "wanted_names"]


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
    """Find the names that `source` needs from outside; see `scopes.Outside` for whose they are.

    Args:
        source: Tests.
        entry_point: The function they are about, if they say.
        given: Names that are there before the tests begin, such as those of the prompt's stub.

    Raises:
        SyntaxError: `source` is not Python, or is nested too deeply to be read.
    """
    try:
        tree = parsed(source)
    except (RecursionError, MemoryError):
        raise SyntaxError("they are nested too deeply to be read") from None
    names = Names([tree])
    outside = Outside(names, entry_point, given=given)
    program = [name for name in names.read if name in outside.program and name != entry_point]
    if entry_point:
        program.insert(0, entry_point)
    theirs = names.scopes[None].kinds.keys() - {"*", *program}
    own = theirs & names.read.keys()
    places = _first_places(tree) if own else {}
    return Wanted(
        program=tuple(program),
        modules=tuple(sorted(outside.modules)),
        bound=tuple(sorted(theirs)),
        rebound=tuple(sorted(own.difference(BUILT_IN, given))),
        own=frozenset(name for name in own if not _reads_first(places.get(name, {}))),
    )


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
