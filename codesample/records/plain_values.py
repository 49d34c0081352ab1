"""Takes single values: truth values, numbers, paths, members of enumerations, instances of classes."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from inspect import getattr_static
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from codesample.records.annotations import Elsewhere
from codesample.records.refusal import Refused

__all__ = [
    "elsewhere",
    "instance",
    "literal",
    "member",
    "number",
    "path",
    "stream",
    "told_by",
    "truth",
    "whole",
]


def _plain(value: Any) -> Any:
    """Return a number of numpy, torch or their like as one of Python's; everything else as it is."""
    if getattr_static(type(value), "item", None) is not None and getattr(value, "shape", None) == ():
        with suppress(Exception):
            return value.item()
    return value


def truth(value: Any) -> bool:
    """Take a truth value."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return plain
    raise Refused(value, hint=bool)


def whole(value: Any) -> int:
    """Take a whole number; True and False are none."""
    plain = _plain(value)
    if isinstance(plain, int) and not isinstance(plain, bool):
        return plain
    raise Refused(value, hint=int)


def number(value: Any) -> float:
    """Take a number; True and False are none."""
    plain = _plain(value)
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        return plain
    if isinstance(plain, Real) and not isinstance(plain, bool):
        return float(plain)
    raise Refused(value, hint=float)


def path(value: Any) -> Path:
    """Take a path, or a text that names one."""
    if isinstance(value, Path):
        return value
    if isinstance(value, str | os.PathLike) and isinstance(name := os.fspath(value), str):
        return Path(name)
    raise Refused(value, hint=Path)


def literal(values: tuple[Any, ...], value: Any) -> Any:
    """Take one of some values."""
    # True equals 1
    if any(type(value) is type(each) and value == each for each in values):
        return value
    raise Refused(value, hint=Literal[values])


def told_by(hint: Any, told: Callable[[Any], bool], value: Any) -> Any:
    """Take what a function says yes to."""
    if told(value):
        return value
    raise Refused(value, hint=hint)


def stream(hint: Any, value: Any) -> Any:
    """Take what can be written to or read from."""
    if hasattr(value, "write") or hasattr(value, "read"):
        return value
    raise Refused(value, hint=hint)


def instance(hint: Any, kind: type[Any], value: Any) -> Any:
    """Take an instance of a class."""
    if isinstance(value, kind):
        return value
    raise Refused(value, hint=hint)


def elsewhere(hint: Any, kind: type[Elsewhere], value: Any) -> Any:
    """Take an instance of a class that is known where its module is loaded."""
    real = kind.loaded()
    if isinstance(real, type) and isinstance(value, real):
        return value
    raise Refused(value, hint=hint)


def member(kind: type[Enum], value: Any) -> Any:
    """Take a member of an enumeration, or a text that is the value or the name of one."""
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        for each in kind:
            if value == each.value or value.upper() == each.name:
                return each
    raise Refused(value, hint=kind)
