"""Which kinds of arguments a function takes, as its signature or the prompt's examples show it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from codesample.evaluation.assert_reading import literal_value
from codesample.evaluation.typed_values import signature_in
from codesample.records import CallExample, PublicView

__all__ = ["ArgumentKinds", "argument_lists", "kinds_of"]

_NAMED = {
    **{name: {"list"} for name in ("list", "List")},
    **{name: {"dict"} for name in ("dict", "Dict", "Mapping")},
    **{name: {"tuple"} for name in ("tuple", "Tuple")},
    **{name: {"set"} for name in ("set", "Set")},
    **{name: {name} for name in ("int", "str", "bool", "bytes")},
    "float": {"float", "int"},
    "None": {"NoneType"},
}
_ALSO = {"int": {"bool", "float"}, "float": {"int"}, "bool": {"int"}}
_MOST_KINDS = 3

Kind = frozenset[str] | None
"""Names of types of values that an argument may have; None for any."""


@dataclass(frozen=True, slots=True)
class ArgumentKinds:
    """What arguments a function takes, as far as it is known.

    Attributes:
        least, most: How many; `most` is None where there may be any number.
        kinds: Of those by position.
        words: For a reader, such as "list[int], int"; "" where nothing is to be said.
    """

    least: int = 0
    most: int | None = None
    kinds: tuple[Kind, ...] = ()
    words: str = ""

    def suit(self, call: str, name: str) -> bool:
        """Whether a call passes arguments of these kinds, where it passes literals by position alone.

        Of any other call nothing is known, so it will do.
        """
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = ast.parse(call, mode="eval").body
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != name:
                return True
            if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
                return True
            if len(node.args) < self.least or (self.most is not None and len(node.args) > self.most):
                return False
            return all(map(_fits, node.args, self.kinds))
        return True

    @property
    def opening(self) -> str:
        """What every first argument begins with; "" where that differs."""
        first = self.kinds[0] if self.kinds and self.least else None
        return {frozenset({"list"}): "[", frozenset({"dict"}): "{"}.get(first or frozenset(), "")


def kinds_of(view: PublicView) -> ArgumentKinds:
    """Return the kinds of arguments that a problem's function takes.

    What the signature says counts; of parameters without a type, what the examples pass.
    """
    rows = list(argument_lists(view))
    name = view.entry_point or ""
    signature = signature_in(view.prompt, name) if name else None
    widths = [len(row) for row in rows]
    passed = [[row[at] for row in rows if len(row) > at] for at in range(max(widths, default=0))]
    if signature is None:
        if not rows:
            return ArgumentKinds()
        kinds = tuple(_kind_of_values(values) for values in passed)
        return ArgumentKinds(min(widths), max(widths), kinds, ", ".join(map(_described, passed)))
    parameters = [each for each in (*signature.posonlyargs, *signature.args) if each.arg != "self"]
    found: list[Kind] = []
    words: list[str] = []
    for at, parameter in enumerate(parameters):
        values = passed[at] if at < len(passed) else []
        stated = None if parameter.annotation is None else _kind_of_annotation(parameter.annotation)
        found.append(stated if parameter.annotation is not None or not values else _kind_of_values(values))
        words += _words(parameter.annotation, values)
    most = None if signature.vararg is not None else len(parameters)
    said = ", ".join(words) if len(words) == len(parameters) else ""
    return ArgumentKinds(len(parameters) - len(signature.defaults), most, tuple(found), said)


def _words(annotation: ast.expr | None, values: Sequence[Any]) -> list[str]:
    """Return in one item how a parameter is described; nothing where nothing is known of it."""
    stated = "" if annotation is None else ast.unparse(annotation)
    passed = _described(values) if values else ""
    # "list" says less than "list[int]"
    said = passed if passed.startswith(f"{stated.lower()}[") or not stated else stated
    return [said] if said else []


def argument_lists(view: PublicView) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of the examples' calls, of those that pass plain literals by position."""
    for each in view.examples:
        if not isinstance(each, CallExample):
            continue
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call = _call_of(ast.parse(each.call.strip(), mode="eval").body, view.entry_point)
            if call is not None and not call.keywords:
                yield tuple(literal_value(ast.unparse(argument)) for argument in call.args)


def _call_of(node: ast.AST, name: str | None) -> ast.Call | None:
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == name:
            return each
    return None


def _fits(node: ast.expr, kind: Kind) -> bool:
    if kind is None:
        return True
    try:
        return type(literal_value(ast.unparse(node))).__name__ in kind
    except ValueError:
        return True


def _kind_of_values(values: Sequence[Any]) -> Kind:
    names = {type(each).__name__ for each in values}
    return frozenset(names.union(*(_ALSO.get(name, ()) for name in names)))


def _kind_of_annotation(annotation: ast.expr) -> Kind:
    match annotation:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return frozenset(_NAMED[name] | {"bool"}) if name == "int" else _named(name)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return _named(name)
    return None


def _named(name: str) -> Kind:
    return frozenset(_NAMED[name]) if name in _NAMED else None


def _described(values: Sequence[Any]) -> str:
    """Describe the type of some values, such as "list[int]"."""
    kinds = list(dict.fromkeys(_type(each) for each in values))
    # an empty list says less than a full one
    kinds = [each for each in kinds if not any(other.startswith(f"{each}[") for other in kinds)]
    return " | ".join(kinds) if len(kinds) <= _MOST_KINDS else "Any"


def _type(value: Any, depth: int = 0) -> str:
    name = "None" if value is None else type(value).__name__
    if depth > 2 or not isinstance(value, list | tuple | set | dict) or not value:
        return name
    if isinstance(value, tuple) and len(value) <= _MOST_KINDS:
        return f"tuple[{', '.join(_type(each, depth + 1) for each in value)}]"
    parts = [list(value), list(value.values())] if isinstance(value, dict) else [list(value)]
    inner = [list(dict.fromkeys(_type(each, depth + 1) for each in part)) for part in parts]
    if any(len(each) > _MOST_KINDS for each in inner):
        return name
    return f"{name}[{', '.join(' | '.join(each) for each in inner)}]"
