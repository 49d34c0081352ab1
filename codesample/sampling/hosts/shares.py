"""Which tokens of a prompt each of several processes stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from codesample.policies.prefill.star import Star

__all__ = ["Range", "Shares", "StarShares", "ZigzagShares", "overlaps"]

Range = tuple[int, int]
"""[begin, end), positions in a prompt."""


class Shares(Protocol):
    """Divides prompts among processes; the same in each of them."""

    def ranges(self, tokens: int, rank: int) -> list[Range]:
        """Return what a process stores of a prompt of so many tokens, in their order."""
        ...


class ZigzagShares:
    """Divides every stretch of `size` times `chunk` tokens into twice as many pieces as there are processes.

    Process r has the r-th from the start and the r-th from the end, so that all compute as many pairs of a
    query and a key before it, and what grows with the prompt is divided evenly.

    Args:
        size: How many processes.
        chunk: Tokens of a process in each stretch.
    """

    def __init__(self, size: int, chunk: int) -> None:
        self._size, self._chunk = size, chunk

    def stretches(self, tokens: int) -> list[Range]:
        """Return the stretches, each of which is run at once."""
        length = self._size * self._chunk
        return [(begin, min(begin + length, tokens)) for begin in range(0, tokens, length)]

    def ranges(self, tokens: int, rank: int) -> list[Range]:
        """See `Shares`."""
        found = []
        for begin, end in self.stretches(tokens):
            piece = -(-(end - begin) // (2 * self._size))
            for number in (rank, 2 * self._size - 1 - rank):
                first, last = (min(begin + piece * each, end) for each in (number, number + 1))
                if first < last:
                    found.append((first, last))
        return found


class StarShares:
    """Gives block i of a prompt to process i modulo their number.

    Args:
        size: How many processes.
        star: Says where blocks begin.
    """

    def __init__(self, size: int, star: Star) -> None:
        self._size, self._star = size, star

    def ranges(self, tokens: int, rank: int) -> list[Range]:
        """See `Shares`."""
        block = self._star.layout(tokens).block
        step = block * self._size
        return [(begin, min(begin + block, tokens)) for begin in range(block * rank, tokens, step)]


def overlaps(ranges: Sequence[Range], begin: int, end: int) -> list[tuple[int, int, int]]:
    """Find what of [begin, end) is in some ranges that are stored one behind another.

    Returns: (position, place, count) of each piece, with places counted from the first that is stored.
    """
    found, place = [], 0
    for first, last in ranges:
        low, high = max(first, begin), min(last, end)
        if low < high:
            found.append((low, place + low - first, high - low))
        place += last - first
    return found
