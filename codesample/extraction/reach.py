"""What of a text a name needs: the definitions that lead to it, and the statements that make them ready."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from codesample.extraction.bindings import (
    add_children,
    bound_names,
    changed_names,
    names_changed_by_calls,
    needed_names,
)
from codesample.extraction.stretches import Statement

__all__ = ["Reached", "Source", "imports_only", "reached"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# calls that set up the interpreter rather than compute
_SETTINGS = frozenset(
    {"setrecursionlimit", "set_int_max_str_digits", "stack_size", "getcontext", "setcontext"}
    | {"filterwarnings", "simplefilter", "use"}
)
# what is kept may need what stands before it to be ready: looked for so often
_ROUNDS = 5
_MOST_NAMES = 500
_WAITING = frozenset({"input", "stdin", "show", "mainloop"})


class _Part:
    """A statement with what is known of it, worked out when first asked for."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.nodes = statement.nodes

    @cached_property
    def binds(self) -> set[str]:
        return bound_names(self.nodes)

    @cached_property
    def needs(self) -> set[str]:
        return needed_names(self.nodes)

    @cached_property
    def changes(self) -> set[str]:
        return changed_names(self.nodes)

    @property
    def imports(self) -> bool:
        return imports_only(self.statement)

    @property
    def is_docstring(self) -> bool:
        """Whether it is a string alone, as at the top of a module."""
        value = getattr(self.nodes[0], "value", None)
        return isinstance(self.nodes[0], ast.Expr) and isinstance(getattr(value, "value", None), str)

    @property
    def in_main_guard(self) -> bool:
        """Whether it runs only in a program of its own."""
        return any(
            isinstance(node, ast.If) and any(_named(part) == "__name__" for part in ast.walk(node.test))
            for node in self.nodes
        )

    @property
    def defines(self) -> bool:
        """Whether all of it only makes names: what may be taken over from elsewhere."""
        simple = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
        return all(
            isinstance(node, simple | ast.Import | ast.ImportFrom | ast.Try | ast.If) for node in self.nodes
        )

    @property
    def is_definition(self) -> bool:
        """Whether it is a function or a class."""
        return isinstance(self.nodes[0], _DEFINITIONS)

    @cached_property
    def changes_when_called(self) -> set[str]:
        """The names that a function changes when it is called."""
        return set().union(
            *(names_changed_by_calls(node) for node in self.nodes if isinstance(node, _DEFINITIONS))
        )

    @property
    def called(self) -> set[str]:
        """The last names of what it calls, decorators included, outside of functions that it defines."""
        decorators = [each for node in self.nodes for each in getattr(node, "decorator_list", ())]
        return self._words[0] | {
            _last_name(each.func if isinstance(each, ast.Call) else each) for each in decorators
        }

    def calls(self, names: set[str]) -> bool:
        """Tell whether it calls one of `names`, outside of functions that it defines."""
        return not names.isdisjoint(self._words[0])

    @property
    def sets_up(self) -> bool:
        """Whether it changes the interpreter's settings."""
        return not _SETTINGS.isdisjoint(self._words[0])

    @property
    def waits_for_user(self) -> bool:
        return not _WAITING.isdisjoint(self._words[1])

    @cached_property
    def _words(self) -> tuple[set[str], set[str]]:
        """The last names of what it calls, and all last names, outside of functions that it defines."""
        called: set[str] = set()
        named: set[str] = set()
        waiting: list[ast.AST] = [node for node in self.nodes if not isinstance(node, _DEFINITIONS)]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Call):
                called.add(_last_name(node.func))
            named.add(_last_name(node))
            add_children(node, waiting)
        return called, named


class Source:
    """Statements of one place, and which of them give which name."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self.parts = [_Part(statement) for statement in statements]

    @cached_property
    def givers(self) -> dict[str, list[int]]:
        """The indices of the statements that bind each name."""
        found: dict[str, list[int]] = {}
        for index, part in enumerate(self.parts):
            for name in part.binds:
                found.setdefault(name, []).append(index)
        return found


class Reached(NamedTuple):
    """What is kept.

    Attributes:
        main: Indices of the first source's statements, ascending.
        others: For each other source, the same.
    """

    main: list[int]
    others: list[list[int]]


def reached(
    main: Source, roots: set[str] | None, others: Sequence[Source], *, also: Iterable[str] = ()
) -> Reached:
    """Return the statements that `roots` need: of `main`, and for what it does not give of `others`.

    Args:
        main: Where the roots are.
        roots: Names; None needs every statement of `main`.
        others: Places to take definitions from.
        also: Names that are needed beside the roots.
    """
    search = _Search(main, roots, others)
    search.waiting += also
    search.run()
    if roots is not None:
        search.keep_setting_up()
        search.keep_imports()
    return Reached(sorted(search.kept[0]), [sorted(kept) for kept in search.kept[1:]])


def imports_only(statement: Statement) -> bool:
    """Tell whether a statement imports and does nothing else."""
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in statement.nodes)


class _Search:
    def __init__(self, main: Source, roots: set[str] | None, others: Sequence[Source]) -> None:
        self.main = main
        self.roots = roots or set()
        self.sources = [main, *others]
        self.kept: list[set[int]] = [set() for _ in self.sources]
        self.needed: set[str] = set()
        self._filled_by: dict[str, set[str] | None] = {}
        self.waiting = list(self.roots)
        for index, part in enumerate(main.parts):
            if roots is None or (index == 0 and part.is_docstring):
                self.keep(0, index)

    def keep(self, source: int, index: int) -> None:
        if index not in self.kept[source]:
            self.kept[source].add(index)
            self.waiting += self.sources[source].parts[index].needs

    def run(self) -> None:
        """Follow the names that wait, to the end."""
        while self.waiting:
            name = self.waiting.pop()
            if name in self.needed:
                continue
            self.needed.add(name)
            for number, source in enumerate(self.sources):
                indices = [each for each in source.givers.get(name, ()) if self._gives(source, number, each)]
                for index in indices:
                    self.keep(number, index)
                if indices:
                    break

    def _gives(self, source: Source, number: int, index: int) -> bool:
        part = source.parts[index]
        if part.in_main_guard or (number and not part.defines):
            return False
        if part.imports and self._is_own_import(part):
            return False
        # f = f(3) is an example, f = cached(f) is none
        return not (part.binds & self.roots and part.calls(self.roots))

    def _is_own_import(self, part: _Part) -> bool:
        """Tell whether it imports a root that is defined here too, as tests of a module do."""
        given = [index for name in part.binds & self.roots for index in self.main.givers.get(name, ())]
        return any(not self.main.parts[index].imports for index in given)

    def keep_setting_up(self) -> None:
        """Keep what makes needed objects ready: tables filled, seeds and limits set."""
        for _ in range(_ROUNDS):
            before = len(self.kept[0])
            for index, part in enumerate(self.main.parts):
                if index not in self.kept[0] and not part.imports and self._sets_up(part):
                    self.keep(0, index)
                    self.run()
            if len(self.kept[0]) == before:
                return

    def _sets_up(self, part: _Part) -> bool:
        if part.in_main_guard or part.calls(self.roots) or part.waits_for_user:
            return False
        return part.sets_up or bool(part.changes & self.needed) or self._fills(part)

    def _fills(self, part: _Part) -> bool:
        """Tell whether a statement calls functions that make needed objects ready, and never a root."""
        filled: set[str] = set()
        for name in part.called.intersection(self.main.givers):
            if name not in self._filled_by:
                self._filled_by[name] = self._filled(name)
            found = self._filled_by[name]
            if found is None:
                return False
            filled |= found
        return bool(filled & self.needed)

    def _filled(self, name: str) -> set[str] | None:
        """Return the names that calling `name` changes, in turn too; None if a root is called."""
        waiting, seen, filled = [name], {name}, set[str]()
        while waiting and len(seen) < _MOST_NAMES:
            for index in self.main.givers.get(waiting.pop(), ()):
                giver = self.main.parts[index]
                filled |= giver.changes_when_called
                new = giver.needs - seen if giver.is_definition else set()
                seen |= new
                waiting += new
        return None if seen & self.roots else filled

    def keep_imports(self) -> None:
        """Keep imports, but for those that only what was left out needs."""
        parts = self.main.parts
        left_out = [
            part for index, part in enumerate(parts) if index not in self.kept[0] and not part.imports
        ]
        unneeded = set().union(*(part.needs for part in left_out))
        for index, part in enumerate(parts):
            if part.imports and not part.binds & unneeded and not self._is_own_import(part):
                self.keep(0, index)


def _named(node: ast.AST) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else _named(node) or ""
