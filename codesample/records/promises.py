"""Takes what keeps a protocol, by what it has; names what it lacks."""

from __future__ import annotations

from inspect import getattr_static
from typing import Any, Protocol

from codesample.records.refusal import Refused
from codesample.records.type_words import any_of

__all__ = ["keeps_promises", "missing_of"]


def keeps_promises(kind: type[Any], value: Any) -> Any:
    """Take an object that has all that a protocol promises."""
    if isinstance(value, type):
        raise Refused(value, hint=kind, note=f" (a class given; make one of it: {value.__name__}(...))")
    lacks = missing_of(kind, value)
    if not lacks:
        return value
    # whoever has part of it meant to be one
    whole = len(lacks) == len(_members(kind))
    raise Refused(value, hint=kind, note=None if whole else f" (it has no {any_of(lacks)})")


def missing_of(kind: type[Any], value: Any) -> list[str]:
    """Return what a protocol promises and a value has not."""
    absent = object()
    return [
        name
        for name in _members(kind)
        # a property may be slow or raise; what answers for all names has to be asked
        if getattr_static(value, name, absent) is absent and not _answers(value, name)
    ]


def _answers(value: Any, name: str) -> bool:
    try:
        return hasattr(value, name)
    except Exception:
        return True


def _members(kind: type[Any]) -> list[str]:
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if getattr(base, "_is_protocol", False) and base is not Protocol:
            found |= dict.fromkeys([*vars(base), *vars(base).get("__annotations__", {})])
    own = {*vars(Protocol), *vars(_Nothing), "__annotations__", "__parameters__", "__protocol_attrs__"}
    return [name for name in found if name not in own and not name.startswith(("_is_", "_abc", "__non_"))]


class _Nothing(Protocol):
    """Has what every protocol has."""
