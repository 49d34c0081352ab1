"""Whether a value has the type that a record's field says; with the standard library alone."""

from __future__ import annotations

import types
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from codesample.errors import ParameterError

__all__ = ["check_types", "fits", "hints_of", "words_for"]

_WORDS: dict[Any, str] = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "True or False",
    types.NoneType: "None",
}
_hints: dict[type[Any], dict[str, Any]] = {}


def check_types(record: Any) -> None:
    """Check every field of a dataclass against its annotation; for `__post_init__`.

    Raises:
        ParameterError: a value of another type; names the field, the value and what is expected.
    """
    hints = hints_of(type(record))
    for each in fields(record):
        value = getattr(record, each.name)
        if not fits(value, hints[each.name]):
            raise ParameterError(f"{each.name} = {_shown(value)}: expected {words_for(hints[each.name])}")


def hints_of(record: type[Any]) -> dict[str, Any]:
    """Return the types of a record's fields by name, resolved once."""
    if record not in _hints:
        _hints[record] = get_type_hints(record)
    return _hints[record]


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value has a type: an integer is a number, a truth value is neither."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(fits(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(fits, value, inner))
    if hint in (int, float):
        return isinstance(value, int if hint is int else int | float) and not isinstance(value, bool)
    if isinstance(origin, type):
        return isinstance(value, origin)
    return isinstance(value, hint) if isinstance(hint, type) else True


def words_for(hint: Any) -> str:
    """Say what a value of a type is, for an error message."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(map(words_for, inner))
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        of = f"each {words_for(inner[0])}" if inner[-1] is Ellipsis else ", ".join(map(words_for, inner))
        return f"a tuple ({of})"
    return _WORDS.get(hint) or f"a {getattr(hint, '__name__', hint)}".lower()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
