"""Which keys each row of a decode batch sees, fixed on the host while the set of live rows is fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from codesample.errors import ParameterError

__all__ = ["DecodeBatch", "Segment"]


class Segment(NamedTuple):
    """A run of shared tokens and the rows that see it.

    Attributes:
        start: First token in the shared pool, an index into dimension 1 of `LayerStore.k_shared`.
        length: Tokens, 0 or more.
        row_start, row_stop: Rows [row_start, row_stop) of the batch see it.
        position: Absolute position of its first token in those rows' sequences.
    """

    start: int
    length: int
    row_start: int
    row_stop: int
    position: int


@dataclass(frozen=True)
class DecodeBatch:
    """The chains of shared segments and the slots of R rows; build it with `DecodeBatch.build`.

    Nothing in it depends on how many tokens the rows have drawn, so one batch serves every layer and
    every step until a row joins or leaves. What implementations work out from it is theirs to keep, see
    `prepare_batch`.

    Attributes:
        segments: The shared segments, by position, then by row.
        slots: Row r keeps its own tokens in slot `slots[r]` of the store.
        own_starts: Absolute position of each row's first own token.
        levels: The segments again, in as few layers as possible such that within one no two share a row.
        pool_stop: One past the last shared token that a segment names.
        slot_stop: One past the highest slot.
    """

    segments: tuple[Segment, ...]
    slots: tuple[int, ...]
    own_starts: tuple[int, ...]
    levels: tuple[tuple[Segment, ...], ...]
    pool_stop: int
    slot_stop: int

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return len(self.slots)

    def chain(self, row: int) -> list[Segment]:
        """Return the segments that a row sees, by position."""
        return [s for s in self.segments if s.row_start <= row < s.row_stop]

    @classmethod
    def build(
        cls, segments: Sequence[Segment], *, slots: Sequence[int], own_starts: Sequence[int]
    ) -> DecodeBatch:
        """Check and index the layout of a batch. Costs host time, so call it when rows join or leave.

        Args:
            segments: In any order; those of one row must follow one another in position without a gap.
            slots: R different slots of the store, one per row.
            own_starts: R absolute positions, one per row, where its own tokens begin: the end of its
                chain of segments. A row without segments may begin anywhere.

        Raises:
            ParameterError: a negative or repeated number, rows out of range, or a broken chain.
        """
        rows = len(slots)
        if len(own_starts) != rows:
            raise ParameterError(
                f"DecodeBatch: {rows} slots but {len(own_starts)} own_starts; give one of each per row"
            )
        if len(set(slots)) != rows or any(slot < 0 for slot in slots):
            raise ParameterError(f"DecodeBatch: slots {list(slots)} must be different and not negative")
        # an empty segment comes before the one that begins where it ends
        ordered = tuple(
            sorted((Segment(*s) for s in segments), key=lambda s: (s.position, s.length > 0, s.row_start))
        )
        _check_chains(ordered, own_starts)
        return cls(
            segments=ordered,
            slots=tuple(slots),
            own_starts=tuple(own_starts),
            levels=_stack_in_levels(ordered),
            pool_stop=max((s.start + s.length for s in ordered), default=0),
            slot_stop=max(slots, default=-1) + 1,
        )


def _check_chains(segments: Sequence[Segment], own_starts: Sequence[int]) -> None:
    ends: dict[int, int] = {}
    for s in segments:
        if min(s.start, s.length, s.position) < 0:
            raise ParameterError(f"DecodeBatch: {s} has a negative start, length or position")
        if not 0 <= s.row_start < s.row_stop <= len(own_starts):
            raise ParameterError(f"DecodeBatch: {s} names rows outside [0, {len(own_starts)}) or none")
        for row in range(s.row_start, s.row_stop):
            if ends.setdefault(row, s.position) != s.position:
                raise ParameterError(
                    f"DecodeBatch: row {row}: {s} begins at position {s.position}, but the segment before "
                    f"it ends at {ends[row]}; the segments of a row must follow one another"
                )
            ends[row] = s.position + s.length
    for row, end in ends.items():
        if own_starts[row] != end:
            raise ParameterError(
                f"DecodeBatch: row {row}: own_starts is {own_starts[row]}, but its segments end at {end}"
            )


def _stack_in_levels(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], ...]:
    levels: list[list[Segment]] = []
    for s in segments:
        if s.length == 0:
            continue
        for level in levels:
            if all(s.row_start >= t.row_stop or s.row_stop <= t.row_start for t in level):
                level.append(s)
                break
        else:
            levels.append([s])
    return tuple(tuple(sorted(level, key=lambda s: s.row_start)) for level in levels)
