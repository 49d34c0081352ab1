"""Exceptions as plain data: their nearest known classes, their arguments, and what they say of themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.wire.protocols import RAISABLE

__all__ = ["describe", "text_of"]

_SPECIAL = (
    *("errno", "strerror", "filename", "filename2", "name", "path", "obj", "value", "code"),
    *("lineno", "offset", "end_lineno", "end_offset", "text", "msg", "doc", "pos", "colno", "pattern"),
)
"""Attributes of exceptions that are in no `__dict__`."""

_MOST_LINKED = 3
_MOST_TEXT = 200


def describe(
    error: BaseException, opaque: Callable[[Any], Any], number: Callable[[Any], int], depth: int = 0
) -> list[Any]:
    """Return the JSON of what stands for an exception; it is built again by `worker/raised.py`.

    Args:
        error: Any exception, of a hostile class too.
        opaque: See `codec.encode`.
        number: Gives an object the number by which it can be asked.
        depth: How many exceptions this one is the cause or context of.
    """
    kind = type(error)
    known = [base for base in kind.__mro__ if _is_known(base)]
    nearest = [base for base in known if not any(base in other.__mro__[1:] for other in known)]
    own = kind is not nearest[0]
    shown = text_of(error, repr) if _method(kind, "__repr__") is not _method(nearest[0], "__repr__") else None
    linked = [
        None if other is None or depth >= _MOST_LINKED else describe(other, opaque, number, depth + 1)
        for other in (error.__cause__, error.__context__)
    ]
    return [
        [f"{base.__module__}.{base.__qualname__}" for base in nearest],
        [kind.__name__, kind.__module__, number(error), shown] if own else None,
        [_packed(item, opaque) for item in error.args],
        text_of(error) if _method(kind, "__str__") is not _method(nearest[0], "__str__") else None,
        [[name, _packed(value, opaque)] for name, value in _attributes(error).items()],
        *linked,
        bool(error.__suppress_context__),
    ]


def _is_known(kind: type) -> bool:
    module = kind.__module__
    if not issubclass(kind, BaseException) or (module != "builtins" and module not in RAISABLE):
        return False
    return getattr(sys.modules.get(module), kind.__qualname__, None) is kind


def _method(kind: type, name: str) -> Any:
    return getattr(kind, name)


def _attributes(error: BaseException) -> dict[str, Any]:
    found = {name: getattr(error, name, None) for name in _SPECIAL if hasattr(type(error), name)}
    found = {name: value for name, value in found.items() if value is not None}
    return {**found, **{name: value for name, value in vars(error).items() if type(name) is str}}


def _packed(value: Any, opaque: Callable[[Any], Any]) -> Any:
    try:
        return codec.pack(value, opaque)
    except (codec.CodecError, RecursionError):
        return text_of(value)[:_MOST_TEXT]


def text_of(value: object, describe: Callable[[Any], str] = str) -> str:
    """Return what an object of the program says of itself, in a plain string; its class where it does not."""
    try:
        return str.__str__(describe(value))
    except BaseException:
        return f"<{type(value).__name__}>"
