"""Takes tuples, lists, sets and mappings: each item by its type, and an iterator as it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence, Set, ValuesView
from typing import Any

from codesample.records.refusal import Refused, Taker

__all__ = ["pairs", "row", "several"]

_LISTS = (list, tuple)
_NEAR: dict[Any, Any] = {
    tuple: Sequence,
    list: Sequence,
    set: Set | list | tuple,
    frozenset: Set | list | tuple,
}


def row(hint: Any, items: list[Taker], value: Any) -> tuple[Any, ...]:
    """Take a tuple of so many values, each of a type of its own."""
    if not isinstance(value, tuple | list) or len(value) != len(items):
        raise Refused(value, hint=hint)
    taken = [_item(item, each, f"[{at}]") for at, (item, each) in enumerate(zip(items, value, strict=True))]
    same = isinstance(value, tuple) and all(map(_same, taken, value))
    return value if same else tuple(taken)  # type: ignore[return-value]


def several(hint: Any, kind: type[Any], item: Taker, value: Any) -> Any:
    """Take any number of values of one type; an iterator is looked at as it is used."""
    if (type(value) is kind or (kind is Sequence and type(value) in _LISTS)) and _all_quick(item, value):
        return value
    ordered = kind in (tuple, list, Sequence)
    if isinstance(value, str | bytes | bytearray):
        if isinstance(value, str) and ordered and str in item.quick:
            value = [value]
        else:
            raise Refused(value, hint=hint)
    elif ordered and len(getattr(value, "shape", ())) == 1 and hasattr(value, "tolist"):
        value = value.tolist()
    elif ordered:
        value = _listed(item, value)
    if isinstance(value, Iterator) and kind in (Iterable, Iterator):
        return value if item.takes_all else (_item(item, each, f"[{at}]") for at, each in enumerate(value))
    if not isinstance(value, _NEAR.get(kind, kind)) or isinstance(value, Mapping):
        raise Refused(value, hint=hint)
    if not _all_quick(item, value):
        taken = [_item(item, each, f"[{at}]") for at, each in enumerate(value)]
        if not all(map(_same, taken, value)):
            value = taken
    return value if isinstance(value, kind) else kind(value)


def _listed(item: Taker, value: Any) -> Any:
    """Return texts of any kind of collection, and pairs of a mapping, as a list; all else as it is.

    Texts of a set are sorted, so that their order is the same in every process.
    """
    if item.takes_pairs and isinstance(value, Mapping):
        return list(value.items())
    # a file gives lines, which is seldom what is meant
    if str not in item.quick or isinstance(value, Mapping) or hasattr(value, "read"):
        return value
    if isinstance(value, set | frozenset):
        return sorted(value) if all(isinstance(each, str) for each in value) else value
    return list(value) if isinstance(value, Iterator | KeysView | ValuesView) else value


def _item(item: Taker, value: Any, place: str) -> Any:
    if type(value) in item.quick:
        return value
    try:
        return item.take(value)
    except Refused as error:
        raise error.at(place) from None


def _same(one: Any, other: Any) -> bool:
    return one is other


def pairs(hint: Any, kind: type[Any], key: Taker, item: Taker, value: Any) -> Any:
    """Take a mapping of keys of one type to values of one type."""
    if not isinstance(value, kind):
        raise Refused(value, hint=hint)
    if _all_quick(key, value) and _all_quick(item, value.values()):
        return value
    taken = {
        _item(key, name, f" has the key {name!r}, which"): _item(item, each, f"[{name!r}]")
        for name, each in value.items()
    }
    same = all(map(_same, taken, value)) and all(map(_same, taken.values(), value.values()))
    return value if same else taken


def _all_quick(item: Taker, values: Iterable[Any]) -> bool:
    return item.takes_all or item.quick.issuperset({*map(type, values)})
