"""Reads the expressions of tests: what each may be, and whether it can be computed apart from the program."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

from codesample.execution.worker.form_rules import lattice as kind
from codesample.execution.worker.form_rules.actions import Actions
from codesample.execution.worker.form_rules.attributes import looks_like_class
from codesample.execution.worker.form_rules.calls import LIST, Given
from codesample.execution.worker.form_rules.lattice import anywhere, directly, held, holding
from codesample.execution.worker.form_rules.library import library_action, library_names
from codesample.execution.worker.form_rules.rules import Library, OwnFunction
from codesample.execution.worker.form_rules.scopes import BUILT_IN, Names, Outside

__all__ = ["Expressions"]

_NAN = re.compile(r"\bs?nan\d*\b", re.IGNORECASE)


class Expressions(Actions):
    """Expressions, in the scope that is being read."""

    def __init__(self, names: Names, outside: Outside) -> None:
        """Read nothing yet."""
        super().__init__()
        self.names, self.outside = names, outside
        self.scope = names.scopes[None]
        self.function: OwnFunction | None = None
        self.guards = 0
        """How many blocks are open that are left by code of the tests, within the function."""
        self.in_stub = False
        self.bound: set[str] = set()
        """Names of the module that were bound in what was read."""
        self.starred: dict[str, int] = {}
        """What names may stand for that were imported by a star; nothing for those not known here."""
        self._functions: dict[ast.AST, OwnFunction] = {}
        self._literals: dict[ast.AST, int] = {}

    def read(self, node: ast.expr) -> int:
        """Return what an expression may be.

        Raises:
            Weak: it cannot be computed apart from the program.
            EntryIsClass: it needs the entry point to be a class.
        """
        if (known := self._literals.get(node)) is not None:
            return known
        reader: Callable[[ast.expr], int] | None = getattr(self, f"read_{type(node).__name__}", None)
        if reader is None:
            self.refuse(node, f"uses {type(node).__name__}, which is not known here")
        return reader(node)

    def _literal(self, node: ast.expr, parts: list[ast.expr], kinds: int) -> int:
        """Return the kinds of a display; read it only once if it is made of nothing but literals."""
        if all(type(part) is ast.Constant or part in self._literals for part in parts):
            self._literals[node] = kinds
        return kinds

    def read_all(self, nodes: list[ast.expr]) -> int:
        """Return what the values of several expressions may be, of one that is starred what it holds."""
        found = 0
        for node in nodes:
            if isinstance(node, ast.Starred):
                found |= self.items(self.read(node.value), node)
            else:
                found |= self.read(node)
        return found

    # names and constants

    def read_Constant(self, node: ast.Constant) -> int:
        """Read a constant."""
        text = node.value
        if not isinstance(text, str):
            return kind.DATA
        if "__" in text and not self.hidden_texts:
            self.hidden_texts = self.changed = True
        return kind.DATA | (kind.NAN if _NAN.search(text) else 0)

    def read_Name(self, node: ast.Name) -> int:
        """Read a name."""
        name = node.id
        binding = self.scope.binding(name)
        if binding is None:
            return self._outside(name, node)
        found = binding.kinds[name]
        early = name not in self.bound and name not in BUILT_IN
        if early and binding.outer is None and self.function is None:
            # as long as the tests have not bound it, it is the program's, if the program has it
            self.refuse(node, f"reads {name} before it is bound")
        if binding.outer is None or binding.of_class:
            # it may not be bound yet
            if name == self.outside.entry_point:
                found |= self._program_name(name)
            elif name in BUILT_IN:
                action = library_action("builtins", name)
                found |= self.bit(Library("builtins", name, action)) if action else 0
        return self.loaded(found)

    def _outside(self, name: str, node: ast.Name) -> int:
        program = name == self.outside.entry_point or name in self.outside.program
        if program and (name == self.outside.entry_point or name in BUILT_IN):
            return self._program_name(name)
        found = self.starred.get(name, 0)
        if name in self.starred and not found:
            self.refuse(node, f"uses {name}, which was imported by a star")
        if name in BUILT_IN or name.startswith("__"):
            action = library_action("builtins", name)
            if action is None:
                self.refuse(node, f"uses {name}")
            return found | (kind.DATA if action == "data" else self.bit(Library("builtins", name, action)))
        if found:
            return found
        return self._program_name(name) if program else self.module(name, node)

    def _program_name(self, name: str) -> int:
        if not looks_like_class(name):
            return kind.FUNCTION
        return kind.ENTRY if name == self.outside.entry_point and not self.outside.is_class else kind.CLASS

    def module(self, name: str, node: ast.AST) -> int:
        """Return what stands for a module."""
        if library_names(name) is not None:
            if name == "pytest":
                self.harmless = False
            return self.bit(Library(name, "", "module"))
        if name.partition(".")[0] in sys.stdlib_module_names:
            self.refuse(node, f"uses the module {name}")
        for part in name.split("."):
            self.foreign_name(part, node)
        self.harmless = False
        return kind.FOREIGN

    # displays

    def read_Tuple(self, node: ast.Tuple) -> int:
        """Read a tuple."""
        return self._literal(node, node.elts, kind.DATA | holding(self.read_all(node.elts)))

    def read_List(self, node: ast.List) -> int:
        """Read a list."""
        return self._literal(node, node.elts, LIST | holding(self.read_all(node.elts)))

    def read_Set(self, node: ast.Set) -> int:
        """Read a set."""
        items = self.read_all(node.elts)
        self.check_key(items, node)
        return LIST | holding(items)

    def read_Dict(self, node: ast.Dict) -> int:
        """Read a dictionary."""
        found = 0
        for key, value in zip(node.keys, node.values, strict=True):
            kinds = self.read(value)
            if key is None:
                found |= self.items(kinds, node)
                continue
            keys = self.read(key)
            self.check_key(keys, node)
            found |= keys | kinds
        return LIST | holding(found)

    def read_JoinedStr(self, node: ast.JoinedStr) -> int:
        """Read a formatted string."""
        found = 0
        for part in node.values:
            found |= self.read(part)
        return found

    def read_FormattedValue(self, node: ast.FormattedValue) -> int:
        """Read a replacement field."""
        kinds = self.read(node.value)
        self.check_shown(kinds, node, by_repr=node.conversion in (ord("r"), ord("a")))
        if node.format_spec is not None:
            self.read(node.format_spec)
        return kind.DATA | (kind.RESULT if kinds & anywhere(kind.OF_PROGRAM) else 0)

    # operators

    def read_BoolOp(self, node: ast.BoolOp) -> int:
        """Read `and` or `or`."""
        found = 0
        for at, value in enumerate(node.values, 1):
            kinds = self.read(value)
            if at < len(node.values):
                self.check_truth(kinds, value)
            found |= kinds
        return found

    def read_UnaryOp(self, node: ast.UnaryOp) -> int:
        """Read an operator on one value."""
        kinds = self.read(node.operand)
        if isinstance(node.op, ast.Not):
            self.check_truth(kinds, node)
            return kind.DATA
        return self._literal(node, [node.operand], self.computed(kinds, 0, node))

    def read_BinOp(self, node: ast.BinOp) -> int:
        """Read an operator on two values."""
        left, right = self.read(node.left), self.read(node.right)
        text = isinstance(node.left, ast.JoinedStr) or (
            isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        )
        if isinstance(node.op, ast.Mod) and text:
            self.check_shown(right, node, by_repr=True)
            return kind.DATA | (kind.RESULT if right & anywhere(kind.OF_PROGRAM) else 0)
        types = self.library | kind.DATA
        if (
            isinstance(node.op, ast.BitOr)
            and (left | right) & self.library
            and not directly(left | right) & ~types
        ):
            return left | right
        return self.computed(left, right, node)

    def read_Compare(self, node: ast.Compare) -> int:
        """Read a comparison."""
        left, found = node.left, self.read(node.left)
        foreign = found & kind.FOREIGN
        for operator, right in zip(node.ops, node.comparators, strict=True):
            other = self.read(right)
            if isinstance(operator, ast.Is | ast.IsNot) and (_is_single(left) or _is_single(right)):
                names = kind.FUNCTION | kind.CLASS | kind.ENTRY
                if not self.in_message and (bad := (found | other) & names):
                    self.refuse(node, f"compares {self.word(bad)}")
            else:
                self.compare(found, other, operator, node)
                self.check_nan(found, other, operator, node)
            left, found = right, other
            foreign |= other & kind.FOREIGN
        return kind.DATA | foreign

    def read_IfExp(self, node: ast.IfExp) -> int:
        """Read a choice."""
        self.check_truth(self.read(node.test), node)
        return self.read(node.body) | self.read(node.orelse)

    def read_NamedExpr(self, node: ast.NamedExpr) -> int:
        """Read an assignment within an expression."""
        kinds, name = self.read(node.value), node.target.id
        scope = self.scope.around_comprehensions().target(name)
        self.learn(scope, name, kinds)
        self.bound |= {name} if scope.outer is None else set()
        return kinds

    # parts of values

    def read_Attribute(self, node: ast.Attribute) -> int:
        """Read an attribute."""
        return self.loaded(self.attribute(self.read(node.value), node.attr, node))

    def read_Slice(self, node: ast.Slice) -> int:
        """Read a slice; what matters of it is what it is made of."""
        return self.read_all([part for part in (node.lower, node.upper, node.step) if part is not None])

    def read_Subscript(self, node: ast.Subscript) -> int:
        """Read an item."""
        base = self.read(node.value)
        found = self.item(base, self.read(node.slice), node)
        return found | base if isinstance(node.slice, ast.Slice) else found

    # functions and calls

    def read_Call(self, node: ast.Call) -> int:
        """Read a call."""
        if isinstance(node.func, ast.Attribute):
            base = self.read(node.func.value)
            return self.loaded(self.method_call(base, node.func.attr, self.given(node)))
        callee = self.read(node.func)
        return self.loaded(self.call(callee, self.given(node)))

    def given(self, node: ast.Call) -> Given:
        """Read the arguments of a call."""
        given = Given(node)
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                given.rest |= self.items(self.read(argument.value), node)
            elif given.rest:
                given.rest |= self.read(argument)
            else:
                given.positional.append(self.read(argument))
        for keyword in node.keywords:
            kinds = self.read(keyword.value)
            if keyword.arg is None:
                given.rest |= self.items(kinds, node)
            else:
                given.keywords[keyword.arg] = kinds
        return given

    def own_function(self, node: ast.FunctionDef | ast.Lambda) -> OwnFunction:
        """Return the record of a function that the tests define."""
        if node not in self._functions:
            self._functions[node] = OwnFunction(
                node, self.names.scopes[node], generates=node in self.names.generators
            )
        function = self._functions[node]
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        defaults = zip(positional[len(positional) - len(given.defaults) :], given.defaults, strict=True)
        by_name = zip(given.kwonlyargs, given.kw_defaults, strict=True)
        for argument, default in (*defaults, *by_name):
            if default is not None:
                self.learn(function.scope, argument.arg, self.read(default))
        return function

    def read_Lambda(self, node: ast.Lambda) -> int:
        """Read an anonymous function."""
        function = self.own_function(node)
        around = self.scope, self.function
        self.scope, self.function = function.scope, function
        self.returns(self.read(node.body))
        self.scope, self.function = around
        return self.bit(function)

    def returns(self, kinds: int) -> None:
        """Add to what the function that is being read returns."""
        if self.function is not None and self.function.returned | kinds != self.function.returned:
            self.function.returned |= kinds
            self.changed = True

    def read_Yield(self, node: ast.Yield) -> int:
        """Read `yield`."""
        self._yields(self.read(node.value) if node.value else kind.DATA)
        return kind.DATA

    def read_YieldFrom(self, node: ast.YieldFrom) -> int:
        """Read `yield from`."""
        kinds = self.read(node.value)
        self._yields(self.items(kinds, node))
        return kind.DATA | held(kinds)

    def _yields(self, kinds: int) -> None:
        if self.guards:
            # what stands behind it may run after the verdict, when the generator is dropped
            self.harmless = False
        if self.function is not None and self.function.yielded | kinds != self.function.yielded:
            self.function.yielded |= kinds
            self.changed = True


def _is_single(node: ast.expr) -> bool:
    """Whether an expression stands for an object of which each process has one, known to the other."""
    if isinstance(node, ast.Name):
        return node.id in ("NotImplemented", "Ellipsis")
    return (
        isinstance(node, ast.Constant)
        and node.value in (None, True, False, ...)
        and type(node.value) is not int
    )
