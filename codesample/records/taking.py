"""What a value must be to be taken for a type, and what is made of one that only nearly is.

A list is taken where a tuple is wanted, a text for a path and for a list of one text, any collection of
texts for a list of them, a mapping for its pairs, and a number of numpy or torch for a number. Everything
else is of the type or is refused, with the item at fault.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, Union, get_args, get_origin

from codesample.records.annotations import Elsewhere
from codesample.records.plain_values import (
    elsewhere,
    instance,
    literal,
    member,
    number,
    path,
    stream,
    told_by,
    truth,
    whole,
)
from codesample.records.promises import keeps_promises
from codesample.records.refusal import Refused, Taker, anything
from codesample.records.several_values import pairs, row, several
from codesample.records.type_words import note_on, unwrapped

__all__ = ["taker_of", "takes_by"]

_OWN: dict[Any, Taker] = {}
_SEVERAL = (list, tuple, Sequence, Iterable, Iterator)


def takes_by(hint: Any, take: Callable[[Any], Any], *, quick: Collection[type[Any]] = ()) -> None:
    """Have a union told by a function of its own; arguments are the fields of `Taker`."""
    _OWN[hint] = Taker(hint, frozenset(quick), take)


def taker_of(hint: Any) -> Taker:
    """Return how values of a type are told; a type that cannot be told at run time takes all."""
    plain = unwrapped(hint)
    origin, inner = get_origin(plain), get_args(plain)
    if plain in (Any, object) or isinstance(plain, TypeVar):
        return Taker(hint, frozenset(), anything)
    if origin in (Union, types.UnionType):
        return _union(plain, [taker_of(each) for each in inner])
    if origin is Literal:
        return Taker(hint, frozenset(), partial(literal, inner))
    kind = plain if origin is None else origin
    if kind is IO:
        return Taker(hint, frozenset(), partial(stream, hint))
    if kind in (Callable, type) or not isinstance(kind, type):
        told = {Callable: callable, type: lambda value: isinstance(value, type)}.get(kind)
        return Taker(hint, frozenset(), partial(told_by, hint, told) if told else anything)
    return _of_class(plain, kind, inner)


def _of_class(hint: Any, kind: type[Any], inner: tuple[Any, ...]) -> Taker:
    if kind is bool:
        return Taker(hint, frozenset({bool}), truth)
    if kind is int:
        return Taker(hint, frozenset({int}), whole)
    if kind is float:
        return Taker(hint, frozenset({int, float}), number)
    if kind is Path:
        return Taker(hint, frozenset({type(Path())}), path)
    if kind is tuple:
        return _tuple(hint, inner)
    if issubclass(kind, Mapping):
        return _mapping(hint, kind, inner)
    if kind in (list, set, frozenset) or kind in (Sequence, Collection, Iterable, Iterator, Set):
        item = taker_of(inner[0] if inner else Any)
        return Taker(hint, frozenset(), partial(several, hint, kind, item))
    if issubclass(kind, Elsewhere):
        return Taker(hint, frozenset(), partial(elsewhere, hint, kind) if kind.module else anything)
    if getattr(kind, "_is_protocol", False):
        return Taker(hint, frozenset(), partial(keeps_promises, kind))
    if issubclass(kind, Enum):
        return Taker(hint, frozenset({kind}), partial(member, kind))
    return Taker(hint, frozenset({kind}), partial(instance, hint, kind))


def _union(hint: Any, parts: list[Taker]) -> Taker:
    if any(part.takes_all for part in parts):
        return Taker(hint, frozenset(), anything)
    if (own := _OWN.get(hint)) is not None:
        return own
    return Taker(hint, frozenset().union(*(part.quick for part in parts)), partial(_one_of, hint, parts))


def _one_of(hint: Any, parts: list[Taker], value: Any) -> Any:
    if isinstance(value, Iterator) and sum(_kind(part) in _SEVERAL for part in parts) > 1:
        # what one of them has gone through, the next would find empty
        value = list(value)
    refusals: list[Refused] = []
    made: list[Any] = []
    for part in parts:
        try:
            taken = part.take(value)
        except Refused as error:
            refusals.append(error)
        else:
            if taken is value:
                return value
            made.append(taken)
    if made:
        return made[0]
    # one that went into the value knows more
    inside = max(refusals, key=_depth)
    if inside.place:
        raise inside
    said = [each.note for each in refusals if each.note]
    raise Refused(value, hint=hint, note=said[0] if said and not note_on(value, hint) else None)


def _kind(part: Taker) -> Any:
    hint = unwrapped(part.hint)
    return get_origin(hint) or hint


def _depth(refusal: Refused) -> int:
    return len(refusal.place)


def _tuple(hint: Any, inner: tuple[Any, ...]) -> Taker:
    if not inner or inner[-1] is Ellipsis:
        item = taker_of(inner[0] if inner else Any)
        return Taker(hint, frozenset(), partial(several, hint, tuple, item))
    return Taker(hint, frozenset(), partial(row, hint, [taker_of(each) for each in inner]))


def _mapping(hint: Any, kind: type[Any], inner: tuple[Any, ...]) -> Taker:
    key, value = (taker_of(each) for each in inner or (Any, Any))
    return Taker(hint, frozenset(), partial(pairs, hint, kind, key, value))
