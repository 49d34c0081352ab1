"""Variations of the values that a prompt's examples show: of the same types, and in the same relations."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from codesample.evaluation.value_moves import FLOATS, TEXTS, WHOLE
from codesample.evaluation.value_relations import relations

__all__ = ["variations"]

_MOST_ITEMS, _MOST_CHARACTERS = 20, 60
_Value = Any


def variations(examples: Sequence[tuple[_Value, ...]], rng: random.Random) -> Iterator[tuple[_Value, ...]]:
    """Yield argument lists without end, made from those of examples; repeats among them are possible.

    Each differs from one example in one argument or a few; arguments may also come from different examples.
    Kept is what all examples have in common: numbers that are not negative, characters that occur, lists
    that are ordered or of equal length, rows of equal length, a number that is the length of another
    argument.

    Args:
        examples: At least one; plain data. Those of another length than the first are left out.
        rng: Settles what comes.
    """
    width = len(examples[0])
    rows = [each for each in examples if len(each) == width]
    columns = [_Column([row[at] for row in rows]) for at in range(width)]
    keep = relations(rows)
    while True:
        row = list(rng.choice(rows))
        for at in rng.sample(range(width), min(width, rng.choice((1, 1, 1, 2, 2, width)))) if width else ():
            row[at] = columns[at].varied(rng.choice(rows)[at] if rng.random() < 0.3 else row[at], rng)
        yield tuple(keep(row))


class _Column:
    """What the values of one argument, and the values within them, have in common."""

    def __init__(self, values: Sequence[_Value]) -> None:
        leaves = list(_leaves(values))
        numbers = [each for each in leaves if isinstance(each, int | float) and not isinstance(each, bool)]
        self._texts = [each for each in leaves if isinstance(each, str)]
        self._letters = "".join(dict.fromkeys("".join(self._texts))) or "abc"
        self._signed = any(each < 0 for each in numbers)
        self._positive = bool(numbers) and all(each > 0 for each in numbers)
        # beyond what is shown too: a function of one number would have few inputs else
        self._most = max([20, *(2 * abs(each) for each in numbers if abs(each) < float("inf"))])
        self._single = bool(self._texts) and all(len(each) == 1 for each in self._texts)
        self._fixed = {len(each) for each in values if isinstance(each, tuple)}
        sized = [each for each in values if isinstance(each, list | tuple) and len(each) > 1]
        self._ordered = bool(sized) and all(map(_is_ordered, sized))
        self._distinct = bool(sized) and len(sized) > 1 and all(map(_is_distinct, sized))

    def varied(self, value: _Value, rng: random.Random) -> _Value:
        """Return a value like the one given."""
        changed = self._changed(value, rng, depth=0)
        if isinstance(changed, list | tuple) and self._distinct:
            changed = type(changed)(_once(changed))
        if isinstance(changed, list | tuple) and self._ordered:
            try:
                changed = type(changed)(sorted(changed))
            except TypeError:
                return value
        return changed

    def _changed(self, value: _Value, rng: random.Random, *, depth: int) -> _Value:
        match value:
            case bool():
                return not value
            case int():
                return self._whole(value, rng)
            case float():
                return self._within(round(rng.choice(FLOATS)(value, rng, float(self._most)), 2))
            case str():
                return self._text(value, rng)
            case list() | tuple():
                return self._sequence(value, rng, depth=depth)
            case set() | frozenset():
                return type(value)(_once(self._sequence(sorted(value, key=repr), rng, depth=depth)))
            case dict():
                return self._mapping(value, rng, depth=depth)
        return value

    def _whole(self, value: int, rng: random.Random) -> int:
        most = int(min(self._most, 1 << 62))
        return int(self._within(rng.choice(WHOLE)(value, rng, most)))

    def _within(self, number: _Value) -> _Value:
        """Return a number that has no sign, or is none, where no example has or is one."""
        if not self._signed:
            number = abs(number)
        return number or type(number)(1) if self._positive else number

    def _text(self, value: str, rng: random.Random) -> str:
        if self._single:
            return rng.choice(self._letters)
        made = rng.choice(TEXTS)(value, rng, self._letters, self._texts)
        return made[:_MOST_CHARACTERS]

    def _sequence(self, value: Sequence[_Value], rng: random.Random, *, depth: int) -> _Value:
        kind: Callable[[Sequence[_Value]], _Value] = type(value)
        items = list(value)
        if not items:
            return value
        widths = {len(each) for each in items if isinstance(each, list | tuple)}
        rows = len(items) > 1 and len(widths) == 1 and all(isinstance(each, list | tuple) for each in items)
        fixed = kind is tuple and (depth > 0 or len(self._fixed) == 1)
        move = "item" if fixed or rng.random() < 0.5 else rng.choice(("drop", "repeat", "swap", "cut", "add"))
        at = rng.randrange(len(items))
        if move == "item":
            changed = self._changed(items[at], rng, depth=depth + 1)
            if not rows or len(changed) == len(items[at]):
                items[at] = changed
        elif move == "drop":
            del items[at]
        elif move == "repeat":
            items.insert(at, items[at])
        elif move == "swap":
            rng.shuffle(items)
        elif move == "cut":
            items = items[: rng.randrange(len(items)) + (depth == 0 and rng.random() < 0.8)]
        else:
            new = items[at] if rows else self._changed(items[at], rng, depth=depth + 1)
            items.insert(rng.randrange(len(items) + 1), new)
        return kind(items[:_MOST_ITEMS]) if not fixed else kind(items)

    def _mapping(
        self, value: dict[_Value, _Value], rng: random.Random, *, depth: int
    ) -> dict[_Value, _Value]:
        made = dict(value)
        if not made:
            return made
        key = rng.choice(list(made))
        move = rng.choice(("value", "value", "drop", "key"))
        if move == "value":
            made[key] = self._changed(made[key], rng, depth=depth + 1)
        elif move == "drop":
            del made[key]
        else:
            made[self._changed(key, rng, depth=depth + 1)] = made[key]
        return made


def _leaves(values: Sequence[_Value]) -> Iterator[_Value]:
    todo = list(values)
    while todo:
        each = todo.pop()
        if isinstance(each, list | tuple | set | frozenset):
            todo.extend(each)
        elif isinstance(each, dict):
            todo.extend([*each, *each.values()])
        else:
            yield each


def _is_ordered(values: Sequence[_Value]) -> bool:
    try:
        return all(one <= other for one, other in itertools.pairwise(values))
    except TypeError:
        return False


def _is_distinct(values: Sequence[_Value]) -> bool:
    return len(_once(values)) == len(values)


def _once(values: Sequence[_Value]) -> list[_Value]:
    return list({repr(each): each for each in values}.values())
