"""Records in a line, for whoever prints many of them: what they are, and the beginning of what they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

__all__ = ["one_line", "short", "spelt"]

# characters: of a text, of one value, and of a record
_CHARACTERS, _VALUE, _RECORD = 40, 60, 200
_FEW = 4


def short(text: object) -> str:
    """Return the beginning of a text as a literal on one line; whatever is none, by its type."""
    if not isinstance(text, str):
        return "None" if text is None else f"<{type(text).__name__}>"
    shown = text[:_CHARACTERS]
    # of characters that are written as escapes, fewer are shown
    while len(repr(shown)) > 2 * _CHARACTERS + 2:
        shown = shown[: len(shown) // 2]
    return repr(shown) if shown == text else f"{shown!r}..."


def one_line(record: Any) -> str:
    """Return a dataclass in one line of at most 200 characters: its name, and fields that are not by default.

    For `__repr__ = one_line` in the class. Texts are shortened, many items counted. Whatever tells one record
    from another needs `spelt`.
    """
    # one of ours that hides some parts of a record prints as that
    line = f"{next(kind.__name__ for kind in type(record).__mro__ if kind.__name__[0] != '_')}("
    for each in fields(record):
        if not each.repr:
            continue
        value = getattr(record, each.name)
        if _is_default(each, value):
            continue
        part = f"{', ' if line[-1] != '(' else ''}{each.name}={_brief(value)}"
        if len(line) + len(part) > _RECORD - len(", ...)"):
            return line + ", ...)"
        line += part
    return line + ")"


def spelt(value: Any) -> str:
    """Return all of a value, and of records within it, as the text that dataclasses have by themselves."""
    if is_dataclass(value) and not isinstance(value, type) and type(value).__repr__ is one_line:
        parts = (f"{each.name}={spelt(getattr(value, each.name))}" for each in fields(value) if each.repr)
        return f"{type(value).__qualname__}({', '.join(parts)})"
    if type(value) is tuple:
        return f"({', '.join(map(spelt, value))}{',' if len(value) == 1 else ''})"
    if type(value) is list:
        return f"[{', '.join(map(spelt, value))}]"
    if type(value) is dict:
        return f"{{{', '.join(f'{spelt(key)}: {spelt(item)}' for key, item in value.items())}}}"
    return repr(value)


def _is_default(declared: Field[Any], value: Any) -> bool:
    if declared.default is not MISSING:
        return value is declared.default or (
            type(value) is type(declared.default) and bool(value == declared.default)
        )
    return isinstance(value, Collection) and not len(value) and declared.default_factory is not MISSING


def _brief(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, str):
        return short(value)
    if isinstance(value, Collection) and not isinstance(value, bytes):
        return _items(value)
    if callable(value):
        return getattr(value, "__qualname__", None) or f"<{type(value).__name__}>"
    text = str(value) if isinstance(value, PurePath) else repr(value)
    return text if len(text) <= _VALUE and "\n" not in text else f"<{type(value).__name__}>"


def _items(value: Collection[Any]) -> str:
    opened, closed = {list: ("[", "]"), tuple: ("(", ")")}.get(type(value), ("{", "}"))
    if len(value) <= _FEW:
        if isinstance(value, Mapping):
            parts = [f"{_brief(key)}: {_brief(item)}" for key, item in value.items()]
        else:
            parts = [_brief(each) for each in value]
        text = opened + ", ".join(parts) + ("," if type(value) is tuple and len(parts) == 1 else "") + closed
        if len(text) <= _VALUE:
            return text
    return f"<{len(value)} {'item' if len(value) == 1 else 'items'}>"
