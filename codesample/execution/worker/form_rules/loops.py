"""Reads the loops of tests: comprehensions, and tables whose columns are of different kinds."""

from __future__ import annotations

import ast

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.calls import LIST
from codesample.execution.worker.form_rules.expressions import Expressions
from codesample.execution.worker.form_rules.lattice import held, holding
from codesample.execution.worker.form_rules.scopes import Names, Outside, Scope

__all__ = ["Loops"]


class Loops(Expressions):
    """Loops, in the scope that is being read."""

    def __init__(self, names: Names, outside: Outside) -> None:
        """Read nothing yet."""
        super().__init__(names, outside)
        self.displays: dict[tuple[Scope, str], ast.expr] = {}
        """Lists and tuples that are written out, by the names that stand for them alone."""

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> int:
        """Read the loops of a comprehension, and then return what its items may be."""
        outer, inner = self.scope, self.names.scopes[node]
        for at, each in enumerate(node.generators):
            if each.is_async:
                self.refuse(node, "iterates asynchronously")
            self.scope = inner if at else outer
            items = self.items(self.read(each.iter), each.iter)
            columns = self.columns(each.iter)
            self.scope = inner
            self.assign_parts(each.target, items, columns)
            for condition in each.ifs:
                self.check_truth(self.read(condition), condition)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        kinds = [self.read(part) for part in parts]
        if isinstance(node, ast.SetComp | ast.DictComp):
            self.check_key(kinds[0], node)
        self.scope = outer
        return kinds[0] | kinds[-1]

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

    def columns(self, node: ast.expr) -> list[int]:
        """Return what each column of a table may hold that is written out; none for anything else."""
        table, scope = node, self.scope
        if isinstance(node, ast.Name):
            found = self.scope.binding(node.id)
            if found is None or (found, node.id) not in self.displays:
                return []
            table, scope = self.displays[found, node.id], found
        if not isinstance(table, ast.List | ast.Tuple):
            return []
        rows = [row.elts for row in table.elts if isinstance(row, ast.List | ast.Tuple)]
        width = len(rows[0]) if rows else 0
        ragged = any(len(row) != width or any(isinstance(cell, ast.Starred) for cell in row) for row in rows)
        if ragged or len(rows) < len(table.elts):
            return []
        around, self.scope = self.scope, scope
        columns = [self.read_all([row[at] for row in rows]) for at in range(width)]
        self.scope = around
        if table is not node:
            # the table may have been changed since
            given = self.items(self.loaded(LIST), node)
            columns = [each | given | held(given) for each in columns]
        return columns

    def assign_parts(self, target: ast.expr, kinds: int, columns: list[int]) -> None:
        """Bind a target to a value whose parts are of the kinds in `columns`, if they are known at all."""
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        if (
            columns
            and len(columns) == len(parts)
            and not any(isinstance(part, ast.Starred) for part in parts)
        ):
            for part, column in zip(parts, columns, strict=True):
                self.assign(part, column)
        else:
            self.assign(target, kinds)
