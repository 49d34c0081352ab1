"""Values of the types that a function's signature states, for prompts that show no example."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

__all__ = ["signature_in", "typed_arguments"]

_MOST_DEPTH = 3
_LONGEST_HEADER = 2_000
_WHOLE = (0, 1, 2, 3, 5, 7, 10, 12, 100, -1, -2, -5)
_FLOATS = (0.0, 1.0, 0.5, 2.5, -1.5, 3.14, 10.0, -0.1)
_TEXTS = (
    "",
    "a",
    "abc",
    "hello",
    "Hello World",
    "racecar",
    "aab",
    "12",
    "a b c",
    "xyz!",
    "ABC",
    "the cat sat",
)
_LENGTHS = (0, 1, 2, 3, 4, 5, 8)
_SEQUENCES = {"list": list, "List": list, "Sequence": list, "Iterable": list, "Collection": list}
_SETS = {"set": set, "Set": set, "frozenset": frozenset, "FrozenSet": frozenset, "AbstractSet": set}
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "DefaultDict", "MutableMapping", "OrderedDict"})
_GUESSES = (
    (
        re.compile(
            r"^(?:n|m|k|x|y|i|j|a|b|c|d|num|number|count|size|length|limit|index|target|base|value|val)\d?$"
        ),
        "int",
    ),
    (
        re.compile(r"^(?:s|t|text|string|word|sentence|st|str|txt|name|message|prefix|suffix|char|ch)\d?$"),
        "str",
    ),
    (re.compile(r"^(?:words|strings|strs|names|tokens|sentences)\d?$"), "list[str]"),
    (re.compile(r"^(?:matrix|grid|board|rows)\d?$"), "list[list[int]]"),
    (
        re.compile(r"^(?:l|lst|arr|array|nums|numbers|values|xs|ys|data|items|li|list\d?|seq|sequence)\d?$"),
        "list[int]",
    ),
    (re.compile(r"^(?:dict\w?|mapping|dic)\d?$"), "dict[str, int]"),
)

Maker = Callable[[random.Random], Any]


def signature_in(text: str, name: str) -> ast.arguments | None:
    """Return the parameters of a function as a text states them, prose around it or not; None for none."""
    for found in re.finditer(rf"(?:^|(?<=\n))[ \t]*(?:async )?def {re.escape(name)}[ \t]*\(", text):
        end = found.end()
        # a colon ends the header, unless it stands inside of brackets
        while (end := text.find(":", end, found.start() + _LONGEST_HEADER) + 1) > 0:
            with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                (node,) = ast.parse(f"{text[found.start() : end].strip()} pass").body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    return node.args
    return None


def typed_arguments(signature: ast.arguments, rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Yield argument lists without end, positional ones; nothing where a parameter tells no type.

    A parameter without a type is guessed from its default, or its name. Those with a default may be left
    out, from the last one on. `self` is none.
    """
    parameters = [each for each in (*signature.posonlyargs, *signature.args) if each.arg != "self"]
    if signature.vararg is not None or any(default is None for default in signature.kw_defaults):
        return
    defaults: list[ast.expr | None] = [None] * len(parameters)
    defaults[len(parameters) - len(signature.defaults) :] = signature.defaults
    makers: list[Maker] = []
    for parameter, default in zip(parameters, defaults, strict=True):
        maker = _maker_of(parameter, default)
        if maker is None and default is None:
            return
        if maker is None:
            break
        makers.append(maker)
    required = len(parameters) - len(signature.defaults)
    if not parameters:
        yield ()
        return
    while True:
        size = len(makers) if rng.random() < 0.7 else rng.randint(required, len(makers))
        yield tuple(maker(rng) for maker in makers[:size])


def _maker_of(parameter: ast.arg, default: ast.expr | None) -> Maker | None:
    annotation = parameter.annotation
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            annotation = ast.parse(annotation.value, mode="eval").body
    if annotation is not None:
        with suppress(RecursionError):
            return _maker(annotation)
        return None
    if default is not None:
        with suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            kind = type(ast.literal_eval(default)).__name__
            return _maker(ast.Name(kind, ast.Load())) if kind != "NoneType" else None
    for pattern, kind in _GUESSES:
        if pattern.match(parameter.arg):
            return _maker(ast.parse(kind, mode="eval").body)
    return None


def _maker(annotation: ast.expr, depth: int = 0) -> Maker | None:
    """Return what makes values of a type; None for one that is not known."""
    if depth > _MOST_DEPTH:
        return None
    match annotation:
        case ast.Constant(value=None):
            return lambda rng: None
        case ast.Attribute(attr=name):
            return _plain(name, depth)
        case ast.Name(id=name):
            return _plain(name, depth)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _one_of([left, right], depth)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            parts = list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
            return _generic(name, parts, depth)
    return None


def _plain(name: str, depth: int) -> Maker | None:
    anything = ast.Name("int", ast.Load())
    if name in (
        "list",
        "List",
        "tuple",
        "Tuple",
        "set",
        "Set",
        "frozenset",
        "Sequence",
        "Iterable",
        "Collection",
    ):
        parts: list[ast.expr] = [anything, ast.Constant(...)] if name.lower() == "tuple" else [anything]
        return _generic(name, parts, depth)
    if name in _MAPPINGS:
        return _generic(name, [ast.Name("str", ast.Load()), anything], depth)
    if name in ("Any", "object"):
        return _one_of([ast.Name(each, ast.Load()) for each in ("int", "str", "list")], depth)
    return {
        "int": lambda rng: rng.choice(_WHOLE) if rng.random() < 0.6 else rng.randint(-20, 100),
        "float": lambda rng: rng.choice(_FLOATS) if rng.random() < 0.6 else round(rng.uniform(-10, 50), 2),
        "complex": lambda rng: complex(rng.randint(-3, 3), rng.randint(-3, 3)),
        "bool": lambda rng: rng.random() < 0.5,
        "str": _text,
        "bytes": lambda rng: _text(rng).encode(),
        "None": lambda rng: None,
    }.get(name)


def _text(rng: random.Random) -> str:
    if rng.random() < 0.6:
        return rng.choice(_TEXTS)
    return "".join(rng.choice("abcdeABC 0123") for _ in range(rng.randint(1, 10)))


def _generic(name: str, parts: list[ast.expr], depth: int) -> Maker | None:
    if name == "Optional":
        return _one_of([*parts, *parts, ast.Constant(None)], depth)
    if name == "Union":
        return _one_of(parts, depth)
    if name == "Literal":
        values = [part.value for part in parts if isinstance(part, ast.Constant)]
        return (lambda rng: rng.choice(values)) if values else None
    made = [_maker(part, depth + 1) for part in parts if not _is_dots(part)]
    makers = [maker for maker in made if maker is not None]
    if len(makers) < len(made) or not makers:
        return None
    first = makers[0]
    if name in _SEQUENCES:
        return lambda rng: [first(rng) for _ in range(_length(rng, depth))]
    if name in ("tuple", "Tuple"):
        if len(makers) < len(parts):
            return lambda rng: tuple(first(rng) for _ in range(_length(rng, depth)))
        return lambda rng: tuple(maker(rng) for maker in makers)
    if name in _SETS:
        kind = _SETS[name]
        return lambda rng: kind(_hashable(first(rng)) for _ in range(_length(rng, depth)))
    if name in _MAPPINGS and len(makers) == 2:
        return lambda rng: {_hashable(first(rng)): makers[1](rng) for _ in range(_length(rng, depth))}
    return None


def _one_of(parts: list[ast.expr], depth: int) -> Maker | None:
    makers = [maker for maker in (_maker(part, depth) for part in parts) if maker is not None]
    return (lambda rng: rng.choice(makers)(rng)) if len(makers) == len(parts) else None


def _is_dots(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and part.value is ...


def _length(rng: random.Random, depth: int) -> int:
    return rng.choice(_LENGTHS[: 7 - 2 * depth])


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value
