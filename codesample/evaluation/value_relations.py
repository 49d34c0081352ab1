"""Relations between arguments that a prompt's examples keep, put back in order where one was varied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["relations"]


def relations(rows: Sequence[tuple[Any, ...]]) -> Callable[[list[Any]], list[Any]]:
    """Return what puts back in order the relations between arguments that all examples keep."""
    width = len(rows[0])
    sized = [at for at in range(width) if all(isinstance(row[at], list | tuple | str) for row in rows)]
    lengths = {at: [len(row[at]) for row in rows] for at in sized}
    several = len({tuple(each) for each in rows}) > 1 if _hashable(rows) else len(rows) > 1
    equal = [
        (one, other)
        for one in sized
        for other in sized
        if one < other and lengths[one] == lengths[other] and max(lengths[one]) > 1
        # texts are as long as each other by chance; lists in one example too
        if (several or max(lengths[one]) > 2) and type(rows[0][one]) is type(rows[0][other]) is not str
    ]
    counts = [
        (number, of)
        for number in range(width)
        for of in sized
        if several and all(type(row[number]) is int and row[number] == len(row[of]) for row in rows)
    ]

    def keep(row: list[Any]) -> list[Any]:
        for one, other in equal:
            shorter = min(len(row[one]), len(row[other]))
            row[one], row[other] = row[one][:shorter], row[other][:shorter]
        for number, of in counts:
            row[number] = len(row[of])
        return row

    return keep


def _hashable(rows: Sequence[tuple[Any, ...]]) -> bool:
    try:
        return bool({hash(each) for each in rows})
    except TypeError:
        return False
