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

# asked of the base, for a class of the program may answer with code of its own
_args_of, _dict_of, _cause_of, _context_of, _suppressed_of = (
    BaseException.__dict__[name].__get__
    for name in ("args", "__dict__", "__cause__", "__context__", "__suppress_context__")
)

_MOST_LINKED = 3
_MOST_TEXT = 200


def describe(
    error: BaseException,
    opaque: Callable[[Any], Any],
    number: Callable[[Any], int],
    depth: int = 0,
    *,
    lasting: bool = False,
) -> list[Any]:
    """Return the JSON of what stands for an exception; it is built again by `worker/raised.py`.

    Args:
        error: Any exception, of a hostile class too.
        opaque: See `codec.encode`.
        number: Gives an object the number by which it can be asked.
        depth: How many exceptions this one is the cause or context of.
        lasting: Whether it is a value, to be known again, and was not raised.
    """
    kind = type(error)
    known = [base for base in kind.__mro__ if _is_known(base)]
    nearest = [base for base in known if not any(base in other.__mro__[1:] for other in known)]
    own = kind is not nearest[0]
    shown = text_of(error, repr) if _method(kind, "__repr__") is not _method(nearest[0], "__repr__") else None
    linked = [
        None if other is None or depth >= _MOST_LINKED else describe(other, opaque, number, depth + 1)
        for other in (_cause_of(error), _context_of(error))
    ]
    return [
        [f"{base.__module__}.{base.__qualname__}" for base in nearest],
        [kind.__name__, kind.__module__, number(error), shown] if own else None,
        [_packed(item, opaque) for item in _args_of(error)],
        text_of(error) if _method(kind, "__str__") is not _method(nearest[0], "__str__") else None,
        [[name, _packed(value, opaque)] for name, value in _attributes(error, nearest).items()],
        *linked,
        bool(_suppressed_of(error)),
        *([number(error)] if lasting else []),
    ]


def _is_known(kind: type) -> bool:
    module = kind.__module__
    if not issubclass(kind, BaseException) or (module != "builtins" and module not in RAISABLE):
        return False
    return getattr(sys.modules.get(module), kind.__qualname__, None) is kind


def _method(kind: type, name: str) -> Any:
    return getattr(kind, name)


def _attributes(error: BaseException, nearest: list[type]) -> dict[str, Any]:
    """Return what known classes have, and what the exception itself holds; all else is asked for."""
    found = {}
    for name in _SPECIAL:
        if any(hasattr(base, name) for base in nearest):
            try:
                value = getattr(error, name)
            except Exception:
                continue
            if value is not None:
                found[name] = value
    return {**found, **{name: value for name, value in _dict_of(error).items() if type(name) is str}}


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
