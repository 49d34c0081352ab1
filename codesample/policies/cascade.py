"""Cascading KV cache: a bounded number of a candidate's own tokens, the older ones farther apart.

Own tokens fill a row's slot in their order until it is full. From then on rings of W tokens hold them: ring 0
takes every token, ring i every 2^i-th, and each hands its oldest on. A ring that does not take what it is
handed keeps the better of it and its own newest, by the attention that both have had. So N rings reach back
W (2^N - 1) tokens. The first ones always stay. Keys keep the positions at which they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.kernels.bifurcated_decode import LayerStore, ScoreOptions
from codesample.policies.parametrised import Parametrised
from codesample.policies.row_scores import row_logits
from codesample.records.fields import check_settings, setting

__all__ = ["Cascade", "CascadeCache", "CascadeStep"]


@dataclass(frozen=True)
class Cascade(Parametrised):
    """How many of a candidate's own tokens are kept; prompts are left alone.

    Attributes:
        capacity: Tokens in all rings, a multiple of `levels`.
        levels: N, rings.
        first: Tokens that always stay.
        decay: Of the mean attention that tokens have had, per step.

    Raises:
        ParameterError: a value outside its range, or capacity is no multiple of levels.
    Source: arXiv:2406.17808, with original positions and rings that all take everything until they are full.
    """

    name = "cascade"

    capacity: int = setting(
        2048, "Tokens in all rings.", expected="at least 1", holds=lambda value: value >= 1
    )
    levels: int = setting(4, "Rings.", expected="from 1 to 16", holds=lambda value: 1 <= value <= 16)
    first: int = setting(
        64, "First tokens that always stay.", expected="at least 0", holds=lambda value: value >= 0
    )
    decay: float = setting(
        0.9999,
        "Of the attention that tokens have had, per step.",
        expected="a number in [0, 1)",
        holds=lambda value: 0 <= value < 1,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.capacity % self.levels:
            raise ParameterError(
                f"capacity = {self.capacity}: expected a multiple of levels = {self.levels}, as many for each"
            )

    @property
    def kept(self) -> int:
        """Own tokens that a row keeps; shorter candidates keep all."""
        return self.first + self.capacity

    @property
    def slot_tokens(self) -> int:
        """Tokens of a row's slot: those, and the one that is being written."""
        return self.kept + 1


class CascadeCache:
    """Which of its own tokens each slot of a store keeps, layer by layer.

    Args:
        settings: How many.
        layers: Of the store; the list itself is kept, since a store that grows puts other layers in it.
    """

    def __init__(self, settings: Cascade, layers: Sequence[LayerStore]) -> None:
        self.settings, self._layers = settings, layers
        # by layer: attention that places have had [S, T], and the places of each ring's tokens [S, N, W]
        self._had: list[Tensor] = []
        self._rings: list[Tensor] = []

    def over(self, slots: Sequence[int], drawn: Tensor) -> CascadeStep:
        """Begin a batch.

        Args:
            slots: Of its R rows.
            drawn: [R], how many tokens each has drawn so far; read again at every step.
        """
        self._make_room()
        at = torch.tensor(slots, device=drawn.device)
        fresh = at[drawn - 1 <= self.settings.kept]
        for rings in self._rings:
            rings[fresh] = self._first_rings(drawn.device)
        return CascadeStep(self, at, drawn)

    def _first_rings(self, device: torch.device) -> Tensor:
        """Return where rings are when a slot has just become full, [N, W]: the last one's tokens first."""
        levels, width = self.settings.levels, self.settings.capacity // self.settings.levels
        places = torch.arange(self.settings.first, self.settings.kept, device=device)
        return places.view(levels, width).flip(0)

    def _make_room(self) -> None:
        if self._had and len(self._had[0]) >= len(self._layers[0].k_own):
            return
        had, rings = self._had, self._rings
        self._had, self._rings = [], []
        for number, layer in enumerate(self._layers):
            slots, device = len(layer.k_own), layer.k_own.device
            dtype = torch.promote_types(layer.k_own.dtype, torch.float32)
            self._had.append(torch.zeros(slots, self.settings.slot_tokens, dtype=dtype, device=device))
            self._rings.append(self._first_rings(device).repeat(slots, 1, 1))
            if had:
                self._had[number][: len(had[number])] = had[number]
                self._rings[number][: len(rings[number])] = rings[number]

    def attended(self, layer: int, slots: Tensor, stored: Tensor, seen: Tensor) -> None:
        """Take note of a step's attention to own tokens, and let go of a token where a slot is full.

        Args:
            layer: Which.
            slots, stored: [R], of the rows, and how many own tokens each had before the step's.
            seen: [R, T], attention to each place of the slots, the new token's included.
        """
        kept, decay, had = self.settings.kept, self.settings.decay, self._had[layer]
        new = stored.clamp_max(kept)
        had[slots, new] = 0
        had[slots] = decay * had[slots] + (1 - decay) * seen
        full = (stored >= kept).nonzero()[:, 0]
        if len(full):
            freed = self._handed_on(layer, slots[full], stored[full] - kept)
            for held in (self._layers[layer].k_own, self._layers[layer].v_own):
                held[slots[full], :, freed] = held[slots[full], :, kept]
            had[slots[full], freed] = had[slots[full], kept]

    def _handed_on(self, layer: int, slots: Tensor, step: Tensor) -> Tensor:
        """Put the new token into ring 0 and what that hands on into the others; return the place left [R].

        `step` [R] counts from the one that found the slot full; the new token has the place that is returned.
        """
        rings, had, width = self._rings[layer], self._had[layer], self._rings[layer].shape[2]
        carried = rings[slots, 0, step % width]
        moving = torch.ones_like(step, dtype=torch.bool)
        for level in range(1, self.settings.levels):
            every = 1 << level
            # tokens that the ring took before are one in so many steps
            oldest = (step + every - 1) // every % width
            newest = (oldest - 1) % width
            takes = step % every == 0
            better = had[slots, carried] > had[slots, rings[slots, level, newest]]
            at = torch.where(takes, oldest, newest)
            before = rings[slots, level, at]
            swaps = moving & (takes | better)
            rings[slots, level, at] = torch.where(swaps, carried, before)
            carried = torch.where(swaps, before, carried)
            moving = moving & takes
        rings[slots, 0, step % width] = carried
        return carried


class CascadeStep:
    """The rows of one batch over a `CascadeCache`."""

    def __init__(self, cache: CascadeCache, slots: Tensor, drawn: Tensor) -> None:
        self._cache, self._slots, self._drawn = cache, slots, drawn

    @property
    def stored(self) -> Tensor:
        """Own tokens that each row's slot holds before the step's, [R]."""
        return (self._drawn - 1).clamp_max(self._cache.settings.kept)

    def attended(self, layer: int, q: Tensor, lse: Tensor, scores: ScoreOptions) -> None:
        """Be told of a layer's attention: queries [R, 1, H, D], and their log-sum-exp [R, 1, H]."""
        k_own = self._cache._layers[layer].k_own[self._slots]
        rows, kv_heads, places, width = k_own.shape
        wide = torch.promote_types(q.dtype, torch.float32)
        logits = row_logits(
            q.to(wide).reshape(rows * kv_heads, -1, width), k_own.flatten(0, 1).to(wide), scores
        )
        weights = (logits - lse.to(wide).reshape(rows * kv_heads, -1, 1)).exp()
        seen = weights.view(rows, -1, places).amax(dim=1)
        held = torch.arange(places, device=seen.device) <= self.stored[:, None]
        # places past those may hold anything
        seen = torch.where(held, seen, 0.0)
        self._cache.attended(layer, self._slots, self._drawn - 1, seen)
