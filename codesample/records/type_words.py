"""Types in words, for errors: what is taken, and what to write in place of a value that is not."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

__all__ = ["any_of", "note_on", "plural_for", "unwrapped", "words_for"]

_MOST_MEMBERS, _LONG = 4, 40


class _Noun(NamedTuple):
    one: str
    many: str


_NOUNS: dict[Any, _Noun] = {
    Any: _Noun("anything", "values"),
    bool: _Noun("True or False", "truth values"),
    bytes: _Noun("bytes", "bytes"),
    complex: _Noun("a number", "numbers"),
    float: _Noun("a number", "numbers"),
    int: _Noun("a whole number", "whole numbers"),
    object: _Noun("anything", "values"),
    Path: _Noun("a path", "paths"),
    str: _Noun("a text", "texts"),
    type: _Noun("a class", "classes"),
    types.NoneType: _Noun("None", "None"),
}
_SEVERAL = {
    tuple: _Noun("a tuple", "tuples"),
    list: _Noun("a list", "lists"),
    Sequence: _Noun("a list", "lists"),
    Collection: _Noun("a set", "sets"),
    Iterable: _Noun("a list", "lists"),
    Iterator: _Noun("an iterator", "iterators"),
    Set: _Noun("a set", "sets"),
    set: _Noun("a set", "sets"),
    frozenset: _Noun("a set", "sets"),
}
_OTHERS = {
    Mapping: _Noun("a dict", "dicts"),
    dict: _Noun("a dict", "dicts"),
    Callable: _Noun("a function", "functions"),
    type: _NOUNS[type],
}
_SIZES = {2: _Noun("a pair", "pairs")}


def words_for(hint: Any) -> str:
    """Say what a value of a type is."""
    return _noun(hint).one


def plural_for(hint: Any) -> str:
    """Say what several values of a type are, such as "texts"."""
    return _noun(hint).many


def unwrapped(hint: Any) -> Any:
    """Return the type behind a name or a note: of `Annotated`, `NewType` and a `type` statement."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return types.NoneType if hint is None else hint


def any_of(parts: Iterable[str]) -> str:
    """Join alternatives: "a, b or c"."""
    *before, last = dict.fromkeys(parts)
    return f"{', '.join(before)} or {last}" if before else last


def _noun(hint: Any) -> _Noun:
    hint = unwrapped(hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _Noun(any_of(map(words_for, inner)), any_of(map(plural_for, inner)))
    if origin is Literal:
        said = any_of(map(repr, inner))
        return _Noun(said, f"of {said}")
    kind = hint if origin is None else origin
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        one, many = _SIZES.get(len(inner), _SEVERAL[tuple])
        parts = ", ".join(map(words_for, inner))
        return _Noun(f"{one} ({parts})", f"{many} ({parts})")
    if kind in _SEVERAL:
        one, many = _SEVERAL[kind]
        of = f" of {plural_for(inner[0])}" if inner and unwrapped(inner[0]) is not Any else ""
        return _Noun(f"{one}{of}", f"{many}{of}")
    if kind in _OTHERS:
        return _OTHERS[kind]
    return _NOUNS.get(kind) or _named(kind)


def _named(kind: Any) -> _Noun:
    name = getattr(kind, "__name__", str(kind))
    if name == "IO":
        return _Noun("a stream", "streams")
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = list(kind.__members__)
        some = members if len(members) <= _MOST_MEMBERS else [f"a {name} such as {name}.{members[0]}"]
        named = any_of(each if " " in each else f"{name}.{each}" for each in some)
        return _Noun(named, f"of {name}")
    article = "an" if name[:1] in "AEIOaeio" else "a"
    # options and parameters, as a record of several of them is called
    one = name if name.endswith("s") else f"{article} {name}"
    return _Noun(one, name if name.endswith("s") else f"{name}s")


def note_on(value: Any, hint: Any) -> str:
    """Return what to write in place of a value that was refused, in brackets; "" where nobody knows."""
    kinds = set(_alternatives(hint))
    origins = {get_origin(each) or each for each in kinds}
    names = {getattr(each, "__name__", "") for each in kinds}
    if isinstance(value, str) and kinds & {int, float} and (number := _number_in(value, float in kinds)):
        return f" (text given; write {number})"
    if isinstance(value, float) and int in kinds and value.is_integer():
        return f" (write {int(value)})"
    if isinstance(value, str) and (found := origins & {Collection, Iterable, Set, set, frozenset}):
        inside = repr(value) if len(value) < _LONG else "..."
        return f" (text given; write {f'[{inside}]' if found == {Iterable} else f'{{{inside}}}'})"
    if isinstance(value, bytes | bytearray) and str in kinds:
        return " (bytes given; decode them)"
    if isinstance(value, type) and any(map(value.__mro__.__contains__, kinds)):
        return f" (the class given; make one of it: {value.__name__}(...))"
    if {"Engine", "Sampler"} & names and "PreTrainedModel" in {base.__name__ for base in type(value).__mro__}:
        return " (a model of transformers given; wrap it: codesample.Sampler(model, tokenizer=tokenizer))"
    if "Reranker" in names and callable(value) and not isinstance(value, type):
        return " (a function given; decorate it with @codesample.reranker)"
    if isinstance(value, Iterator) and origins & {Sequence, list}:
        return " (an iterator given; write list(...))"
    if isinstance(value, Set) and origins & {Sequence, tuple, list}:
        return " (a set given, which has no order; write a list)"
    return ""


def _number_in(text: str, broken: bool) -> str:
    try:
        float(text) if broken else int(text)
    except ValueError:
        return ""
    return text.strip()


def _alternatives(hint: Any) -> Iterator[Any]:
    hint = unwrapped(hint)
    if get_origin(hint) in (Union, types.UnionType):
        for each in get_args(hint):
            yield from _alternatives(each)
    else:
        yield hint
