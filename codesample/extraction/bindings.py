"""Which names a statement gives to a module, and which names of the module it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["add_children", "bound_names", "changed_names", "names_changed_by_calls", "needed_names"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (*_Function.__args__, ast.ClassDef)
_NAMED = (*_DEFINITIONS, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_SCOPES = frozenset({*_Function.__args__, ast.ClassDef, ast.Lambda, *_Comprehension.__args__})


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
        elif type(node) in _SCOPES:
            loaded |= _needed_by_scope(node)
    return loaded


def changed_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names whose objects statements change: by a method, an item or an attribute."""
    names: set[str] = set()
    for node in _of_one_scope(nodes):
        targets: Sequence[ast.expr] = ()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            targets = [node.value.func]
        elif isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
            targets = [node.target]
        elif isinstance(node, _DEFINITIONS):
            # @known.register adds the function to an object
            targets = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
        for target in targets:
            names |= {root for part in _parts(target) if (root := _root(part))}
    return names


def names_changed_by_calls(definition: ast.AST) -> set[str]:
    """Return the names of the module that a function binds anew or whose objects it changes when called."""
    changed: set[str] = set()
    scopes = [node for node in ast.walk(definition) if type(node) in _SCOPES]
    for scope in scopes:
        body = getattr(scope, "body", None)
        changed |= changed_names(body) if isinstance(body, list) else set()
    declared = {name for node in ast.walk(definition) if isinstance(node, ast.Global) for name in node.names}
    return (changed & needed_names([definition])) | declared


def _of_one_scope(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield nodes and all within them, but of an inner scope only what is evaluated outside of it."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if type(node) in _SCOPES:
            waiting += _outside(node)
        else:
            add_children(node, waiting)


def add_children(node: ast.AST, waiting: list[ast.AST]) -> None:
    """Add the nodes directly within `node` to a list, contexts and operators left out."""
    for name in node._fields:
        value = getattr(node, name, None)
        if type(value) is list:
            waiting += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST) and name not in ("ctx", "op"):
            waiting.append(value)


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
        direct = needed_names([node for node in scope.body if type(node) not in _SCOPES]) - own
        inner = [needed_names([node]) for node in scope.body if type(node) in _SCOPES]
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
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {each.asname or each.name.partition(".")[0] for each in node.names}
    if isinstance(node, _NAMED) and node.name:
        return {node.name}
    return {node.rest} if isinstance(node, ast.MatchMapping) and node.rest else set()


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
