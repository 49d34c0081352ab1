"""Where names of tests are bound, and which names they expect from outside, read off their syntax trees."""

from __future__ import annotations

import ast
import builtins
import functools
import sys
import warnings
from collections.abc import Collection

__all__ = ["BUILT_IN", "Names", "Outside", "Scope", "parameters", "parsed"]

BUILT_IN = frozenset(dir(builtins)) | {"__file__", "__builtins__"}
"""Names that the language defines."""

_TREES_KEPT = 4

Pieces = list[tuple[ast.AST, "Scope"]]


class Scope:
    """The names that one function, class, comprehension or module binds, with the kinds of their values.

    Attributes:
        kinds: What each name bound here may stand for; nothing yet, at first.
        outer: The scope around it; None for the module's.
        node: What opens it; None for the module's.
        outward: Names declared global (True) or nonlocal (False).
    """

    __slots__ = ("kinds", "node", "outer", "outward")

    def __init__(self, node: ast.AST | None, outer: Scope | None) -> None:
        """Make an empty scope."""
        self.kinds: dict[str, int] = {}
        self.node, self.outer = node, outer
        self.outward: dict[str, bool] = {}

    @property
    def of_class(self) -> bool:
        """Whether it is a class's, whose names its methods do not see."""
        return isinstance(self.node, ast.ClassDef)

    def binding(self, name: str) -> Scope | None:
        """Return the scope whose binding a use of `name` here means; None where no scope binds it."""
        scope: Scope | None = self
        while scope is not None:
            if scope.outward.get(name):
                scope = scope.module()
            if name in scope.kinds and (scope is self or not scope.of_class):
                return scope
            scope = scope.outer
        return None

    def target(self, name: str) -> Scope:
        """Return the scope in which an assignment here binds `name`."""
        declared = self.outward.get(name)
        if declared is None or self.outer is None:
            return self
        return self.module() if declared else self.outer.binding(name) or self

    def module(self) -> Scope:
        """Return the outermost scope."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope

    def around_comprehensions(self) -> Scope:
        """Return the scope in which `:=` binds its name."""
        scope = self
        while scope.outer is not None and isinstance(scope.node, _COMPREHENSIONS):
            scope = scope.outer
        return scope


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LEAVES = frozenset(
    {str, type(None), ast.Constant}.union(
        *(
            base.__subclasses__()
            for base in (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
        )
    )
)
_SILENT = frozenset(
    {ast.Module, ast.Expr, ast.Assert, ast.Assign, ast.Return, ast.If, ast.For, ast.Compare, ast.BinOp}
    | {ast.UnaryOp, ast.BoolOp, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Subscript, ast.Slice}
    | {ast.keyword, ast.Starred, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.Try, ast.With}
)
"""Nodes that say nothing of names themselves: most of those that there are."""


class Names:
    """The scopes of trees that share one module, and what the trees do with names, found in one walk.

    Attributes:
        scopes: The scope that each node opens; the module's is at None.
        read: Names of the module, or of none, that are read, in the order of the text.
        missing: Those that are never bound, built-in ones among them.
        called: Names that are called outright.
        bases: Names of which an attribute is read.
        generators: Functions whose own body yields.
        once: Names, each with its scope, that are bound at one place.
    """

    def __init__(self, trees: list[ast.Module]) -> None:
        """Walk through `trees`."""
        module = Scope(None, None)
        self.scopes: dict[ast.AST | None, Scope] = {None: module}
        self.called: set[str] = set()
        self.bases: set[str] = set()
        self.generators: set[ast.AST] = set()
        self.once: set[tuple[Scope, str]] = set()
        self._bound: list[tuple[Scope, str]] = []
        reads: list[tuple[Scope, str]] = []
        pending: Pieces = [(tree, module) for tree in reversed(trees)]
        while pending:
            node, scope = pending.pop()
            if type(node) is ast.Name:
                (reads if type(node.ctx) is ast.Load else self._bound).append((scope, node.id))
            elif type(node) in _SILENT:
                pending += [(child, scope) for child in reversed(_children(node))]
            else:
                pending += reversed(self._visit(node, scope))
        # what is nonlocal can be told once the scopes around it know their own names
        for scope, name in sorted(self._bound, key=lambda each: each[1] in each[0].outward):
            target = scope.target(name)
            (self.once.discard if name in target.kinds else self.once.add)((target, name))
            target.kinds.setdefault(name, 0)
        self.read = dict.fromkeys(name for scope, name in reads if scope.binding(name) in (None, module))
        self.missing = self.read.keys() - module.kinds.keys()

    def _visit(self, node: ast.AST, scope: Scope) -> Pieces:
        """Note what a node says of names; return what is to be visited in it, each with its scope."""
        bound = self._bound
        match node:
            case ast.Call(func=ast.Name(id=name)):
                self.called.add(name)
            case ast.Attribute(value=ast.Name(id=name)):
                self.bases.add(name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                inner = self.scopes[node] = Scope(node, scope)
                if not isinstance(node, ast.ClassDef):
                    bound += [(inner, each.arg) for each in parameters(node.args)]
                if not isinstance(node, ast.Lambda):
                    bound.append((scope, node.name))
                return _parts(node, scope, inner)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                scope = self.scopes[node] = Scope(node, scope)
            case ast.comprehension(iter=iterated):
                # the first one is computed outside
                outside = scope.outer if _first_of(scope) is iterated else None
                return [*((child, scope) for child in (node.target, *node.ifs)), (iterated, outside or scope)]
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                bound.append((scope.around_comprehensions(), name))
                return [(value, scope)]
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                scope.outward.update(dict.fromkeys(names, isinstance(node, ast.Global)))
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound += [(scope, alias.asname or alias.name.partition(".")[0]) for alias in aliases]
            case (
                ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
                | ast.MatchMapping(rest=str(name))
            ):
                bound.append((scope, name))
            case ast.Yield() | ast.YieldFrom() if scope.node is not None:
                self.generators.add(scope.node)
        return [(child, scope) for child in _children(node)]


def parameters(given: ast.arguments) -> list[ast.arg]:
    """Return all parameters of a function."""
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [each for each in every if each is not None]


def _children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes within a node that may say something of names."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if type(value) is list:
            found += [each for each in value if type(each) not in _LEAVES]
        elif isinstance(value, ast.AST) and type(value) not in _LEAVES:
            found.append(value)
    return found


def _first_of(scope: Scope) -> ast.expr | None:
    return scope.node.generators[0].iter if isinstance(scope.node, _COMPREHENSIONS) else None


def _parts(node: ast.AST, outside: Scope, inside: Scope) -> Pieces:
    """Say which parts of a definition are computed around it, and which within."""
    match node:
        case ast.Lambda(args=given, body=body):
            return [(given, outside), (body, inside)]
        case ast.ClassDef(decorator_list=decorators, bases=bases, keywords=keywords, body=block):
            around: list[ast.AST] = [*decorators, *bases, *keywords]
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            around = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
            block = node.body
        case _:
            return []
    return [*((part, outside) for part in around), *((part, inside) for part in block)]


class Outside:
    """What names stand for that tests read and never bind.

    A name that is not built in is the program's, or a module's where it is used as one: some data sets use
    standard modules without importing them. Built-in names are never the program's, for then it could
    redefine what its tests compute with; the exception is tests without any other name to test, whose
    program is called like a built-in.

    Attributes:
        entry_point: The program's function or class under test, if the tests state one.
        is_class: Whether the entry point was found to be a class.
        program: Names that are taken from the program.
        modules: Names that stand for standard modules.
    """

    def __init__(
        self,
        names: Names,
        entry_point: str | None,
        *,
        given: Collection[str] = (),
        is_class: bool = False,
    ) -> None:
        """Sort out the names that tests miss; `given` are there before the tests begin."""
        self.entry_point, self.is_class = entry_point, is_class
        missing = names.missing.difference(given)
        self.program = missing - BUILT_IN
        self.modules = (self.program & names.bases & sys.stdlib_module_names) - {entry_point}
        self.program -= self.modules
        if not entry_point and not self.program:
            self.program = missing & names.called


@functools.lru_cache(_TREES_KEPT)
def parsed(text: str) -> ast.Module:
    """Return the syntax tree of tests, for several readers of the same text, none of which changes it.

    Raises:
        SyntaxError: they are not Python.
        RecursionError, MemoryError: they are nested too deeply.
    """
    try:
        with warnings.catch_warnings():
            # they are for whoever compiles the tests
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return ast.parse(text)
    except ValueError as error:
        raise SyntaxError(str(error)) from None
