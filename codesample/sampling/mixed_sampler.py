"""Token choice of a batch whose rows are not all drawn alike: each kind of row by its own token sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from codesample.sampling.rows import Row
from codesample.sampling.token_choice import Choice
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["MixedSampler"]


class _Part(NamedTuple):
    """Rows of one kind: where they stand in the batch, [N] int64, and which they are."""

    sampler: TokenSampler
    places: Tensor
    rows: list[Row]


class MixedSampler:
    """Does for a batch what `TokenSampler` does for rows of its own; a row draws what it would draw alone.

    Args:
        rows: In the order of the batch, each with the sampler of its call.
        device: Of the logits.
    """

    def __init__(self, rows: Sequence[tuple[Row, TokenSampler]], device: torch.device) -> None:
        kinds: dict[object, list[int]] = {}
        for place, (_, sampler) in enumerate(rows):
            kinds.setdefault(sampler.kind, []).append(place)
        self._parts = [
            _Part(rows[places[0]][1], torch.tensor(places, device=device), [rows[at][0] for at in places])
            for places in kinds.values()
        ]
        self._first = rows[0][1]

    kind = None

    def keys(self, rows: Sequence[Row]) -> Tensor:
        """See `TokenSampler.keys`."""
        return self._first.keys(rows)

    def uniforms(self, keys: Tensor, positions: Tensor) -> Tensor:
        """See `TokenSampler.uniforms`."""
        return self._first.uniforms(keys, positions)

    def goes_on(self, tokens: Tensor) -> Tensor:
        """See `TokenSampler.goes_on`; a place that is no row's never does."""
        found = torch.zeros_like(tokens, dtype=torch.bool)
        for part in self._parts:
            found[part.places] = part.sampler.goes_on(tokens[part.places])
        return found

    def draw(
        self, logits: Tensor, rows: Sequence[Row], uniforms: Tensor, *, width: int | None = None
    ) -> Choice:
        """See `TokenSampler.draw`; a place that is no row's gets -1, and what is not recorded of a row 0."""
        tokens = torch.full_like(uniforms, -1, dtype=torch.int64)
        columns: list[Tensor] = []
        for part in self._parts:
            own = part.sampler.draw(
                logits.index_select(0, part.places), part.rows, uniforms[part.places], width=width
            )
            tokens[part.places] = own.tokens
            columns += [torch.zeros_like(uniforms, dtype=torch.float32) for _ in own.known[len(columns) :]]
            for column, known in zip(columns, own.known, strict=False):
                column[part.places] = known
        return Choice(tokens, *columns)
