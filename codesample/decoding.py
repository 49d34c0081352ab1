"""JSON text to typed records; complaints name the place and the field, in words that a user's file has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import inspect

from codesample.errors import DataError

__all__ = ["NotJsonError", "converted", "decoded", "parsed", "repeated_key"]

_T = TypeVar("_T")
_WORDS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "bool",
    inspect.DataclassType: "dict",
    inspect.DictType: "dict",
    inspect.EnumType: "str",
    inspect.FloatType: "a number",
    inspect.IntType: "int",
    inspect.ListType: "list",
    inspect.StrType: "str",
    inspect.StructType: "dict",
    inspect.VarTupleType: "list",
}
_ITEMS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "booleans",
    inspect.DictType: "objects",
    inspect.FloatType: "numbers",
    inspect.IntType: "integers",
    inspect.ListType: "lists",
    inspect.StrType: "strings",
}
# each string of a JSON text, also one that is cut off, and whether it is a key
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)(?:"(?:\s*+(:))?|\\?\Z)', re.DOTALL)


class NotJsonError(DataError):
    """A text is no JSON, or another value than an object."""


_REFUSALS = (msgspec.ValidationError, UnicodeEncodeError)
"""What is raised for a value of another type: the latter for a text with half of a surrogate pair."""


def decoded(text: bytes, kind: type[_T], *, where: str) -> _T:
    """Read one JSON object as a `kind`; fields that it does not have are dropped.

    Args:
        kind: A dataclass, a `msgspec.Struct` or a dict. A field that is null counts as missing.
        where: Begins a complaint, such as "problems.jsonl:12".

    Raises:
        NotJsonError: it is no JSON object.
        DataError: a field is missing or of another type, or the record refuses its value.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # slow and rare: at fault, or what Python's own reader knows besides JSON, such as NaN, lone
        # surrogates and a byte order mark
        return converted(parsed(text, where=where), kind, where=where)


def converted(value: object, kind: type[_T], *, where: str) -> _T:
    """Turn plain data, an object with named fields, into a `kind`; arguments and errors as `decoded`."""
    if not isinstance(value, dict):
        raise NotJsonError(f"{where}: holds {type(value).__name__}, expected an object with named fields")
    if issubclass(kind, dict):
        return kind(value)
    stated = {name: each for name, each in value.items() if each is not None}
    try:
        return msgspec.convert(stated, kind)
    except _REFUSALS as error:
        raise DataError(f"{where}: {_fault(stated, kind, error)}") from error


def parsed(text: bytes, *, where: str) -> object:
    """Read any JSON value with Python's own reader.

    Raises:
        NotJsonError: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error).partition("\n")[0]
        raise NotJsonError(f"{where}: not JSON: {said}") from error


def repeated_key(text: bytes | str) -> str | None:
    """Return a key that an object in a JSON text names twice, of which readers keep one; None without any.

    A text that is no JSON names none.
    """
    if isinstance(text, bytes) and _no_two_alike(text):
        return None
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            repeated.append(next(name for at, name in enumerate(names) if name in names[:at]))

    with suppress(ValueError, RecursionError):
        json.loads(text, object_pairs_hook=once)
    return repeated[0] if repeated else None


def _no_two_alike(text: bytes) -> bool:
    """Whether no two keys anywhere in a JSON text are equal; quick, and at times False where none are."""
    names = [name for name, colon in _STRING.findall(text) if colon]
    # one letter can be written in several ways with a backslash, and in UTF-16 all is written otherwise
    return len(set(names)) == len(names) and b"\0" not in text and not any(b"\\" in name for name in names)


def _fault(stated: Mapping[str, Any], kind: type[Any], error: Exception) -> str:
    """Say which field is at fault, in the order of the record's fields."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType | inspect.DataclassType)
    hints = get_type_hints(kind)
    for field in info.fields:
        if field.name in stated:
            try:
                msgspec.convert(stated[field.name], hints[field.name])
            except _REFUSALS as refused:
                return _field_fault(field.name, stated[field.name], field.type, refused)
        elif field.required:
            present = ", ".join(sorted(map(str, stated))) or "none"
            return f"field {field.name!r} is missing; fields present: {present}"
    # the record itself refused its values
    return str(error.__cause__ or error)


def _field_fault(name: str, value: object, info: inspect.Type, error: Exception) -> str:
    """Say what is wrong with the value of one field."""
    for one in _alternatives(info):
        match one:
            case inspect.EnumType(cls=enum) if isinstance(value, str):
                return f"{name} {value!r}; expected one of {', '.join(each.value for each in enum)}"
            case inspect.StructType(cls=kind) | inspect.DataclassType(cls=kind) if isinstance(value, dict):
                return f"{name}: {_fault(value, kind, error)}"
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item) if isinstance(
                value, list
            ):
                return f"field {name!r} holds something else than {_ITEMS.get(type(item), 'its items')}"
    expected = " or ".join(_WORDS.get(type(one), str(one)) for one in _alternatives(info))
    return f"field {name!r} is {type(value).__name__}, expected {expected}"


def _alternatives(info: inspect.Type) -> list[inspect.Type]:
    """Return the types that a field may have, without null: that counts as missing."""
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    return [one for one in types if not isinstance(one, inspect.NoneType)]
