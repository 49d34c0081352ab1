"""Which keys each row of a decode batch sees, fixed on the host while the set of live rows is fixed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from codesample.errors import ParameterError

__all__ = ["DecodePlan", "Segment"]

# entries; more than the layers of any model, so only a caller that makes a new store per call reaches it
_MEMO_LIMIT = 1024


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
class DecodePlan:
    """The chains of shared segments and the decode slots of R rows; build it with `DecodePlan.build`.

    Nothing in it depends on how many tokens the rows have decoded, so one plan serves every layer and
    every step until a row joins or leaves.

    Attributes:
        segments: The shared segments, by position, then by row.
        slots: Row r keeps its own tokens in slot `slots[r]` of the decode store.
        context_lens: Absolute position of each row's first decode token.
        levels: The segments again, in as few layers as possible such that within one no two share a row.
        pool_stop: One past the last shared token that a segment names.
        slot_stop: One past the highest slot.
        slots_on_device, context_lens_on_device: The same as int32 tensors [R] on the plan's device.
    """

    segments: tuple[Segment, ...]
    slots: tuple[int, ...]
    context_lens: tuple[int, ...]
    levels: tuple[tuple[Segment, ...], ...]
    pool_stop: int
    slot_stop: int
    slots_on_device: torch.Tensor
    context_lens_on_device: torch.Tensor
    _memo: dict[tuple[Hashable, int], Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def rows(self) -> int:
        """R, the number of rows."""
        return len(self.slots)

    @property
    def device(self) -> torch.device:
        """Where the plan's tensors are."""
        return self.slots_on_device.device

    @classmethod
    def build(
        cls,
        segments: Sequence[Segment],
        *,
        slots: Sequence[int],
        context_lens: Sequence[int],
        device: torch.device | str,
    ) -> DecodePlan:
        """Check and index the layout of a batch. Costs host time, so call it when rows join or leave.

        Args:
            segments: In any order; those of one row must follow one another in position without a gap.
            slots: R different slots of the decode store, one per row.
            context_lens: R absolute positions, one per row, where its decode tokens begin: the end of its
                chain of segments. A row without segments may begin anywhere.
            device: Where the query tensors will be.

        Raises:
            ParameterError: a negative or repeated number, rows out of range, or a broken chain.
        """
        rows = len(slots)
        if len(context_lens) != rows:
            raise ParameterError(
                f"DecodePlan: {rows} slots but {len(context_lens)} context_lens; give one of each per row"
            )
        if len(set(slots)) != rows or any(slot < 0 for slot in slots):
            raise ParameterError(f"DecodePlan: slots {list(slots)} must be different and not negative")
        # an empty segment comes before the one that begins where it ends
        ordered = tuple(
            sorted((Segment(*s) for s in segments), key=lambda s: (s.position, s.length > 0, s.row_start))
        )
        _check_chains(ordered, context_lens)
        return cls(
            segments=ordered,
            slots=tuple(slots),
            context_lens=tuple(context_lens),
            levels=_stack_in_levels(ordered),
            pool_stop=max((s.start + s.length for s in ordered), default=0),
            slot_stop=max(slots, default=-1) + 1,
            slots_on_device=torch.tensor(slots, dtype=torch.int32, device=device),
            context_lens_on_device=torch.tensor(context_lens, dtype=torch.int32, device=device),
        )

    def memo(self, key: Hashable, make: Callable[[], Any], *, of: object = None) -> Any:
        """Return what `make` gave for `key` and this very object `of` the first time, and keep both."""
        full = (key, id(of))
        found = self._memo.get(full)
        if found is None:
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            # holding the object keeps its id from naming another
            found = self._memo[full] = (of, make())
        return found[1]

    def memos(self) -> dict[Hashable, Any]:
        """Return what `memo` keeps for no object in particular, by key."""
        return {key: value for (key, _), (of, value) in self._memo.items() if of is None}

    def in_place_of(self, old: DecodePlan, keys: Iterable[Hashable]) -> DecodePlan:
        """Return this layout on the device tensors of `old`, refilled, with its memos of `keys`."""
        old.slots_on_device.copy_(self.slots_on_device)
        old.context_lens_on_device.copy_(self.context_lens_on_device)
        kept = set(keys)
        return replace(
            self,
            slots_on_device=old.slots_on_device,
            context_lens_on_device=old.context_lens_on_device,
            _memo={full: entry for full, entry in old._memo.items() if full[0] in kept},
        )


def _check_chains(segments: Sequence[Segment], context_lens: Sequence[int]) -> None:
    ends: dict[int, int] = {}
    for s in segments:
        if min(s.start, s.length, s.position) < 0:
            raise ParameterError(f"DecodePlan: {s} has a negative start, length or position")
        if not 0 <= s.row_start < s.row_stop <= len(context_lens):
            raise ParameterError(f"DecodePlan: {s} names rows outside [0, {len(context_lens)}) or none")
        for row in range(s.row_start, s.row_stop):
            if ends.setdefault(row, s.position) != s.position:
                raise ParameterError(
                    f"DecodePlan: row {row}: {s} begins at position {s.position}, but the segment before "
                    f"it ends at {ends[row]}; the segments of a row must follow one another"
                )
            ends[row] = s.position + s.length
    for row, end in ends.items():
        if context_lens[row] != end:
            raise ParameterError(
                f"DecodePlan: row {row}: context_lens is {context_lens[row]}, but its segments end at {end}"
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
