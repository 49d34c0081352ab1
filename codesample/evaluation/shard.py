"""Shards: every N-th problem of an evaluation, for processes that share nothing but the command."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from codesample.errors import ParameterError

__all__ = ["Shard", "apart", "nothing_to"]

_T = TypeVar("_T")

_SPELT = re.compile(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts that have every problem exactly once between them.

    Attributes:
        number: Which, counted from 1.
        of: How many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/8", the third of eight.

        Raises:
            ParameterError: another form, or a number outside 1 to the count.
        """
        found = _SPELT.fullmatch(text)
        if found is None:
            raise ParameterError(f"shard = {text!r}: expected K/N, such as 3/8 for the third of eight")
        shard = cls(int(found[1]), int(found[2]))
        if 1 <= shard.number <= shard.of:
            return shard
        wanted = f"K from 1 to {shard.of}" if shard.of else "at least one shard"
        counted = "; shards count from 1: add 1 to an index that counts from 0" if not shard.number else ""
        raise ParameterError(f"shard = {text!r}: expected {wanted}{counted}")

    def part(self, items: Sequence[_T]) -> tuple[_T, ...]:
        """Return every `of`-th item, from the `number`-th on; () where there are fewer."""
        return tuple(items[self.number - 1 :: self.of])

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def apart(shard: str | None) -> str:
    """Say of a shard's figures that they are no one else's; "" of a whole run's."""
    return f"figures of shard {shard} alone; `codesample merge` gives those of the whole" if shard else ""


def nothing_to(do: str, shard: str | None) -> str:
    """Say of a shard without a problem that there is nothing to do with it, in a word such as "show"."""
    return f"shard {shard} has none of the problems; there is nothing to {do}"
