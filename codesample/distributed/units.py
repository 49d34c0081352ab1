"""What is to be drawn, cut into units of whole prompts, and who draws which: leases, and what deaths cost.

With two actors and the prompts a to f, of which c has the poison that kills whoever draws it:

                      actor 0   actor 1   waiting
    cut               a b       c d       e f
    actor 1 dies      a b       e f       c 1  d 1        what had arrived of c and d is not asked for again
    both go on        c 1       d 1                       suspects are alone: each death has one to blame
    actor 0 dies                                          c is poison: given up; d was drawn
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

from codesample.records import Request

__all__ = ["Key", "Unit", "Units", "cut"]

Key = tuple[str, int]

LARGEST_UNIT = 1024
"""Candidates of a unit at most, unless one prompt alone has more; a few batches of a large GPU."""

UNITS_PER_ACTOR = 4
"""At the least, where there are prompts enough: what is left to the slowest actor at the end is small."""

DEATHS = 2
"""So many actors may die over a key before it is given up."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one actor draws at a time.

    Attributes:
        requests: Whole prompts, or a part of one prompt's candidates.
        deaths: How many actors have died over it.
    """

    requests: tuple[Request, ...]
    deaths: int = 0

    @property
    def keys(self) -> Iterator[Key]:
        """Its candidates."""
        return ((each.task_id, index) for each in self.requests for index in each.indices)


def cut(requests: Iterable[Request], *, actors: int) -> list[Unit]:
    """Cut requests into units of a few whole prompts, in their order.

    A prompt's candidates share its stored keys and values, so they stay together unless there are fewer
    prompts than actors.

    Args:
        requests: Those without indices are left out.
        actors: How many share the work, at least 1.
    """
    asked = [each for each in requests if each.indices]
    total = sum(len(each.indices) for each in asked)
    if 0 < len(asked) < actors:
        shares = (ceil(actors * len(each.indices) / total) for each in asked)
        split = (_split(each, share) for each, share in zip(asked, shares, strict=True))
        return [Unit((part,)) for parts in split for part in parts]
    size = max(1, min(LARGEST_UNIT, ceil(total / (actors * UNITS_PER_ACTOR))))
    units: list[Unit] = []
    held: list[Request] = []
    count = 0
    for each in asked:
        held.append(each)
        count += len(each.indices)
        if count >= size:
            units.append(Unit(tuple(held)))
            held, count = [], 0
    return [*units, Unit(tuple(held))] if held else units


def _split(request: Request, parts: int) -> list[Request]:
    """Return so many parts of a request, or one for each candidate; alike in size."""
    size = len(request.indices)
    parts = min(size, parts)
    bounds = [size * part // parts for part in range(parts + 1)]
    return [replace(request, indices=request.indices[begin:end]) for begin, end in pairwise(bounds)]


class Units:
    """Units that wait, and leases of those that are under way; a holder has one lease at a time.

    A key arrives once: what comes again, or from one who holds no lease on it, is not taken. A unit whose
    holder died is asked for again without what had arrived, prompt by prompt, behind all others; one over
    which two have died is given up.

    Attributes:
        given_up: By key, of what the last holder died.
        requeued: How many keys were asked for again so far.
    """

    def __init__(self, units: Sequence[Unit]) -> None:
        self._waiting = deque(units)
        self._leased: dict[Hashable, tuple[Unit, set[Key]]] = {}
        self.given_up: dict[Key, str] = {}
        self.requeued = 0

    @property
    def open(self) -> bool:
        """Whether anything waits or is under way."""
        return bool(self._waiting or self._leased)

    @property
    def waiting(self) -> int:
        """How many units wait for a holder."""
        return len(self._waiting)

    def lease(self, holder: Hashable) -> Unit | None:
        """Give a holder its next unit; None where none waits."""
        assert holder not in self._leased
        if not self._waiting:
            return None
        unit = self._waiting.popleft()
        self._leased[holder] = (unit, set(unit.keys))
        return unit

    def arrived(self, holder: Hashable, key: Key) -> bool:
        """Note a key that a holder delivers; False where it is not to be taken."""
        _, missing = self._leased.get(holder, (None, set()))
        if key not in missing:
            return False
        missing.discard(key)
        return True

    def missing(self, holder: Hashable) -> frozenset[Key]:
        """Return what a holder has yet to deliver."""
        return frozenset(self._leased[holder][1]) if holder in self._leased else frozenset()

    def ended(self, holder: Hashable) -> None:
        """End a lease of which everything has arrived."""
        _, missing = self._leased.pop(holder)
        assert not missing

    def died(self, holder: Hashable, why: str) -> None:
        """End a lease whose holder died or failed; does nothing where it had none."""
        if holder not in self._leased:
            return
        unit, missing = self._leased.pop(holder)
        deaths = unit.deaths + 1
        if deaths >= DEATHS:
            self.given_up.update(dict.fromkeys(missing, why))
            return
        self.requeued += len(missing)
        for each in unit.requests:
            left = tuple(index for index in each.indices if (each.task_id, index) in missing)
            if left:
                self._waiting.append(Unit((replace(each, indices=left),), deaths))
