"""Reads what binds names in tests: targets, comprehensions, and tables with columns of different kinds."""

from __future__ import annotations

import ast

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.calls import LIST
from codesample.execution.worker.form_rules.expressions import Expressions
from codesample.execution.worker.form_rules.lattice import directly, held, holding
from codesample.execution.worker.form_rules.scopes import Names, Outside, Scope

__all__ = ["IMPLIED", "Targets", "row"]

_COMPARISONS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"})
IMPLIED = _COMPARISONS | {"__repr__", "__str__", "__hash__", "__len__", "__bool__", "__post_init__"}
"""Methods that are called by operators, built-in functions and decorators."""
_OWN_DUNDERS = IMPLIED | {"__init__", "__call__"}


class Targets(Expressions):
    """What names, attributes and items are bound to, in the scope that is being read."""

    def __init__(self, names: Names, outside: Outside) -> None:
        """Read nothing yet."""
        super().__init__(names, outside)
        self.displays: dict[tuple[Scope | None, str], ast.expr] = {}
        """Expressions by the names that stand for them alone."""
        self._columns: dict[ast.expr, list[int]] = {}
        """What each column of a table that is written out was read to hold."""

    def assign(self, target: ast.expr, kinds: int) -> None:
        """Bind a target to a value of `kinds`; raises as `read`."""
        match target:
            case ast.Name(id=name):
                self.bind(name, kinds, target)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                items = self.items(kinds, target)
                for part in parts:
                    self.assign(part, items)
            case ast.Starred(value=part):
                self.assign(part, kind.DATA | kind.MUTABLE | holding(kinds))
            case ast.Attribute(value=base, attr=name):
                self.set_attribute(self.read(base), name, kinds, target)
            case ast.Subscript(value=base, slice=index):
                self._set_item(self.read(base), self.read(index), kinds, target)
            case _:
                self.refuse(target, f"assigns to {type(target).__name__}")

    def bind(self, name: str, kinds: int, node: ast.AST) -> None:
        """Bind a name in the scope that is being read."""
        scope = self.scope.target(name)
        hidden = name.startswith("__") and name.endswith("__")
        if hidden and not (scope.of_class and name in _OWN_DUNDERS):
            self.refuse(node, f"defines {name}")
        if name == self.outside.entry_point and scope.outer is None and not self.in_stub:
            self.refuse(node, f"defines {name}, which is the program's")
        self.learn(scope, name, kinds)
        if scope.outer is None:
            self.bound.add(name)

    def _set_item(self, base: int, index: int, value: int, node: ast.AST) -> None:
        self.check_item(directly(base) & ~self.library, index, node)
        if base & (self.library | kind.OPAQUE):
            self.refuse(node, f"sets an item of {self.word(base & (self.library | kind.OPAQUE))}")
        if base & (kind.RESULT | kind.OBJECT | kind.EITHER):
            self.hand_over(value, node)
        self.store(value)

    # comprehensions

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> int:
        """Read the loops of a comprehension, and then return what its items may be."""
        outer, inner = self.scope, self.names.scopes[node]
        for at, each in enumerate(node.generators):
            if each.is_async:
                self.refuse(node, "iterates asynchronously")
            self.scope = inner if at else outer
            kinds, columns = self.table(each.iter)
            items = self.items(kinds, each.iter)
            self.scope = inner
            self.assign_parts(each.target, items, columns)
            for condition in each.ifs:
                self.check_truth(self.read(condition), condition)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        kinds_of_parts = [self.read(part) for part in parts]
        if isinstance(node, ast.SetComp | ast.DictComp):
            self.check_key(kinds_of_parts[0], node)
        self.scope = outer
        return kinds_of_parts[0] | kinds_of_parts[-1]

    def read_ListComp(self, node: ast.ListComp) -> int:
        """Read a list comprehension."""
        return LIST | holding(self.comprehension(node))

    def read_SetComp(self, node: ast.SetComp) -> int:
        """Read a set comprehension."""
        return LIST | holding(self.comprehension(node))

    def read_DictComp(self, node: ast.DictComp) -> int:
        """Read a dictionary comprehension."""
        return LIST | holding(self.comprehension(node))

    def read_GeneratorExp(self, node: ast.GeneratorExp) -> int:
        """Read a generator expression."""
        return kind.ITERATOR | holding(self.comprehension(node))

    # rows of a table, whose columns may be of different kinds

    def table(self, node: ast.expr) -> tuple[int, list[int]]:
        """Read an expression; return what it may be, and what each column of it may hold.

        There are columns where it is a table that is written out, or a name that stands for one alone.
        """
        if node in self._literals and node in self._columns:
            return self._literals[node], self._columns[node]
        if rows := _rows(node):
            return self._read_rows(node, rows), self._columns[node]
        kinds = self.read(node)
        if not isinstance(node, ast.Name):
            return kinds, []
        written = self.displays.get((self.scope.binding(node.id), node.id))
        if written is None or written not in self._columns:
            return kinds, []
        # the table may have been changed since
        given = self.items(self.loaded(LIST), node)
        return kinds, [each | given | held(given) for each in self._columns[written]]

    def _read_rows(self, node: ast.expr, rows: list[ast.List | ast.Tuple]) -> int:
        """Read each cell of a table once; note what its columns hold and return what it may be."""
        columns = self._columns.get(node) or [0] * len(rows[0].elts)
        before, found = list(columns), kind.DATA
        for row in rows:
            found |= LIST if isinstance(row, ast.List) else kind.DATA
            for at, cell in enumerate(row.elts):
                columns[at] |= self.read(cell)
        self._columns[node] = columns
        self.changed |= columns != before
        for column in columns:
            found |= holding(column)
        cells = [cell for row in rows for cell in row.elts]
        own = LIST if isinstance(node, ast.List) else kind.DATA
        return self._literal(node, cells, own | holding(found))

    def assign_parts(self, target: ast.expr, kinds: int, columns: list[int]) -> None:
        """Bind a target to a value whose parts are of the kinds in `columns`, if they are known at all."""
        parts = row(target)
        if columns and len(columns) == len(parts):
            for part, column in zip(parts, columns, strict=True):
                self.assign(part, column)
        else:
            self.assign(target, kinds)


def row(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a tuple or list that is written out with all its parts; none for anything else."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else []
    return [] if any(isinstance(part, ast.Starred) for part in parts) else parts


def _rows(node: ast.expr) -> list[ast.List | ast.Tuple]:
    """Return the rows of a table that is written out, all of one width; none for anything else."""
    every = row(node)
    rows = [each for each in every if isinstance(each, ast.List | ast.Tuple) and row(each)]
    one_width = len({len(each.elts) for each in rows}) == 1
    return rows if one_width and len(rows) == len(every) else []
