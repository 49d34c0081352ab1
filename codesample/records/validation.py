"""The door of public calls: arguments are of the types that the signature says, or are refused by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

from codesample.records.annotations import field_hints, hints_of_call
from codesample.records.arguments import OWN, SETTING, Plan

__all__ = ["validated"]

_T = TypeVar("_T")


def validated(thing: _T) -> _T:
    """Check the arguments of a function, or of a class's constructor and public methods, by its annotations.

    What only nearly is of a type is made one, see `codesample.records.taking`; a default is always taken.
    Annotations are read at the first call. Signature, documentation and static types stay as they are.

    Raises:
        WrongTypeError: from then on, by each call with a value of another type, an argument that it does not
            have, or without one that it must have; names the argument, what was got and what is taken.
    """
    return cast(_T, _class(thing) if isinstance(thing, type) else _function(cast(Callable[..., Any], thing)))


def _class(kind: type[Any]) -> type[Any]:
    fields = getattr(kind, "__dataclass_fields__", {})
    settings = {name: each.metadata.get(SETTING) for name, each in fields.items()}
    expected = {name: each.expected for name, each in settings.items() if each is not None}
    maker = "__new__" if issubclass(kind, tuple) else "__init__"
    is_record = is_dataclass(kind) or issubclass(kind, tuple)
    hints = (lambda: field_hints(kind)) if is_record else None
    if maker in vars(kind):
        made = _function(vars(kind)[maker], name=kind.__name__, hints=hints, expected=expected)
        setattr(kind, maker, made)
    for name, value in list(vars(kind).items()):
        if name.startswith("_") or name in fields:
            continue
        if isinstance(value, classmethod | staticmethod):
            setattr(kind, name, type(value)(_function(value.__func__)))
        elif inspect.isfunction(value):
            setattr(kind, name, _function(value))
    return kind


def _function(
    function: Callable[..., Any],
    *,
    name: str = "",
    hints: Callable[[], Mapping[str, Any]] | None = None,
    expected: Mapping[str, str] | None = None,
) -> Callable[..., Any]:
    """Return a function that checks its arguments; one that takes none but itself is returned as it is."""
    parameters = list(inspect.signature(function).parameters.values())
    if all(each.name in OWN for each in parameters):
        return function

    @functools.cache
    def plan() -> Plan:
        found = hints() if hints is not None else hints_of_call(function)
        return Plan.of(
            name or function.__qualname__.rpartition("<locals>.")[2], parameters, found, expected or {}
        )

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        args, named = (found := plan()).looked_at(args, named)
        try:
            return function(*args, **named)
        except TypeError as error:
            # raised by the call itself and not inside of it
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:
                found.expect_to_fit(args, named)
            raise

    return _awaited(call) if inspect.iscoroutinefunction(function) else call


def _awaited(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that does what one does that returns a coroutine."""

    @functools.wraps(call)
    async def awaited(*args: Any, **named: Any) -> Any:
        return await call(*args, **named)

    return awaited
