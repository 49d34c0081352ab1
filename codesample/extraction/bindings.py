"""Which names a statement gives to a module, and which names of the module it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

__all__ = ["bound_names", "changed_names", "needed_names"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that statements bind in the scope that they stand in."""
    names: set[str] = set()
    for node in _of_one_scope(nodes):
        names.update(_bound_by(node))
    return names


def needed_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that statements read, without those that are local to functions within them."""
    loaded: set[str] = set()
    for node in _of_one_scope(nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            loaded.add(node.id)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            loaded.add(node.target.id)
        elif isinstance(node, _SCOPES):
            loaded |= _needed_by_scope(node)
    return loaded


def changed_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names whose objects statements change: by a method, an item or an attribute."""
    names: set[str] = set()
    for node in _of_one_scope(nodes):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            targets = [node.value.func]
        elif isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
            targets = [node.target]
        for target in targets:
            names |= {root for part in _parts(target) if (root := _root(part))}
    return names


def _of_one_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield nodes and all within them, but of an inner scope only what is evaluated outside of it."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += _outside(node) if isinstance(node, _SCOPES) else ast.iter_child_nodes(node)


def _outside(scope: ast.AST) -> list[ast.AST]:
    """Return the parts of a scope's own node that the scope around it evaluates."""
    if isinstance(scope, ast.ClassDef):
        return [*scope.decorator_list, *scope.bases, *scope.keywords]
    if isinstance(scope, ast.Lambda):
        return _defaults(scope.args)
    if isinstance(scope, _Function):
        arguments = _arguments(scope.args)
        annotations = [each.annotation for each in arguments if each.annotation]
        returns = [scope.returns] if scope.returns else []
        return [*scope.decorator_list, *_defaults(scope.args), *annotations, *returns]
    return [scope.generators[0].iter]  # type: ignore[attr-defined]


def _needed_by_scope(scope: ast.AST) -> set[str]:
    if isinstance(scope, ast.ClassDef):
        own = bound_names(scope.body)
        direct = needed_names([node for node in scope.body if not isinstance(node, _SCOPES)]) - own
        inner = [needed_names([node]) for node in scope.body if isinstance(node, _SCOPES)]
        return direct.union(*inner)
    inside: list[ast.AST]
    if isinstance(scope, ast.Lambda):
        inside, own = [scope.body], {each.arg for each in _arguments(scope.args)}
    elif isinstance(scope, _Function):
        inside, own = list(scope.body), {each.arg for each in _arguments(scope.args)}
    else:
        inside, own = list(ast.iter_child_nodes(scope)), set()
    own |= bound_names(inside) | {each.name for each in getattr(scope, "type_params", ())}
    declared = {name for node in _of_one_scope(inside) if isinstance(node, ast.Global) for name in node.names}
    return (needed_names(inside) - own) | declared


def _bound_by(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {each.asname or each.name.partition(".")[0] for each in names}
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return {name}
        case ast.MatchMapping(rest=str(name)):
            return {name}
    return set()


def _arguments(given: ast.arguments) -> list[ast.arg]:
    rest = [each for each in (given.vararg, given.kwarg) if each]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *rest]


def _defaults(given: ast.arguments) -> list[ast.AST]:
    return [*given.defaults, *(each for each in given.kw_defaults if each)]


def _parts(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def _root(target: ast.expr) -> str | None:
    """Return `a` of a.b[c].d; None of a name alone, and of what begins otherwise."""
    node: ast.expr = target
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) and node is not target else None
