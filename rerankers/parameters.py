"""Parameters of rerankers: keyword-only arguments of their functions, with types, defaults and bounds."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from codesample.errors import ParameterError
from codesample.records.short import one_line
from codesample.records.validation import validated
from codesample.rerankers.expression import Value

__all__ = ["Bounds", "Opens", "Parameter", "checked", "parameters_of"]


@validated
@dataclass(frozen=True, slots=True)
class Bounds:
    """Which numbers a parameter takes: `window: Annotated[int, Bounds(least=1)] = 32`."""

    least: float = -math.inf
    most: float = math.inf

    __repr__ = one_line

    def __str__(self) -> str:
        least = f"at least {self.least:g}" if self.least > -math.inf else ""
        most = f"at most {self.most:g}" if self.most < math.inf else ""
        return " and ".join(filter(None, (least, most)))


@dataclass(frozen=True, slots=True)
class Opens:
    """What a text names that is opened while candidates are scored, and is looked for before.

    Attributes:
        kind: "model", as for `evaluate`, or "classifier", a checkpoint in a folder or on the hub.
    """

    kind: Literal["model", "classifier"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of them.

    Attributes:
        name: As it is given.
        kind: Its annotation; Any where there is none.
        default: Its value where none is given; `Parameter.REQUIRED` where one must be.
    """

    REQUIRED = inspect.Parameter.empty

    name: str
    kind: Any
    default: Any

    def __str__(self) -> str:
        default = "to be given" if self.default is self.REQUIRED else f"{self.default!r} by default"
        return f"{self.name} ({self.expected}; {default})"

    @property
    def expected(self) -> str:
        """What it takes, in words."""
        return _words(self.kind)

    @property
    def opens(self) -> str | None:
        """See `Opens.kind`; None where it names nothing that is opened."""
        parts = typing.get_args(self.kind)[1:] if typing.get_origin(self.kind) is Annotated else ()
        return next((each.kind for each in parts if isinstance(each, Opens)), None)

    def accepted(self, value: Any) -> Value:
        """Return a value as the function is given it.

        Raises:
            ParameterError: of another type or beyond its bounds.
        """
        plain = value is None or isinstance(value, bool | int | float | str)
        if not plain or not _fits(value, self.kind):
            raise ParameterError(f"{self.name}={value!r}: expected {self.expected}")
        whole = isinstance(value, int) and not isinstance(value, bool)
        return float(value) if whole and _without_bounds(self.kind) is float else value


def parameters_of(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the parameters that a scorer declares, by name, in their order."""
    try:
        declared = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    try:
        hints = typing.get_type_hints(inspect.unwrap(function), include_extras=True)
    except Exception:
        # an annotation that only a type checker can resolve checks nothing here
        hints = {}
    return {
        each.name: Parameter(each.name, _kind(hints.get(each.name, Any), each.default), each.default)
        for each in declared
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }


def checked(reranker: str, declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values that were given for parameters of a reranker.

    Raises:
        ParameterError: a name that is none of them, or a value of another type or beyond its bounds.
    """
    for name in given:
        if name not in declared:
            known = ", ".join(map(str, declared.values())) or "none"
            raise ParameterError(f"reranker {reranker!r} has no parameter {name!r}; it takes: {known}")
    try:
        return {name: declared[name].accepted(value) for name, value in given.items()}
    except ParameterError as error:
        raise ParameterError(f"reranker {reranker!r}: {error}") from None


def _kind(hint: Any, default: Any) -> Any:
    """Return an annotation, or the type of the default in place of one that says nothing."""
    plain = isinstance(default, bool | int | float | str)
    return type(default) if hint is Any and plain else hint


def _without_bounds(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _fits(value: Any, kind: Any) -> bool:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        bounds = [each for each in parts[1:] if isinstance(each, Bounds)]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        within = all(each.least <= value <= each.most for each in bounds) if number else True
        return within and _fits(value, parts[0])
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in parts)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in parts)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float) and abs(value) <= _LARGEST
    if kind is None:
        return value is None
    return isinstance(value, kind) if kind in (bool, int, str, types.NoneType) else True


_LARGEST = 1e300


def _words(kind: Any) -> str:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        bounds = " and ".join(str(each) for each in parts[1:] if isinstance(each, Bounds))
        return f"{_words(parts[0])} of {bounds}" if bounds else _words(parts[0])
    if origin is Literal:
        return " or ".join(map(str, parts))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_words, parts))
    names = {int: "a whole number", float: "a number", str: "a text", bool: "True or False"}
    return names.get(kind, "None" if kind in (None, types.NoneType) else "a value")
