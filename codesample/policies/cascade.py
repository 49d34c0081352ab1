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

__all__ = ["Cascade", "CascadeCache", "CascadeRings", "CascadeStep"]


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
            rings[fresh] = _first_rings(self.settings, drawn.device)
        return CascadeStep(self, at, drawn)

    def _make_room(self) -> None:
        if self._had and len(self._had[0]) >= len(self._layers[0].k_own):
            return
        had, rings = self._had, self._rings
        self._had, self._rings = [], []
        for number, layer in enumerate(self._layers):
            slots, device = len(layer.k_own), layer.k_own.device
            dtype = torch.promote_types(layer.k_own.dtype, torch.float32)
            self._had.append(torch.zeros(slots, self.settings.slot_tokens, dtype=dtype, device=device))
            self._rings.append(_first_rings(self.settings, device).repeat(slots, 1, 1))
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
            step, rings = stored[full] - kept, self._rings[layer]
            freed = _handed_on(rings, had, slots[full], step)
            # the new token has the place that is left
            rings[slots[full], 0, step % rings.shape[2]] = freed
            for held in (self._layers[layer].k_own, self._layers[layer].v_own):
                held[slots[full], :, freed] = held[slots[full], :, kept]
            had[slots[full], freed] = had[slots[full], kept]


def _handed_on(rings: Tensor, had: Tensor, rows: Tensor, step: Tensor) -> Tensor:
    """Let each ring hand its oldest on; return what the last one let go of, or what lost to another, [R].

    Args:
        rings: [S, N, W], what each ring holds; ring 0's oldest is to be overwritten by the caller.
        had: [S, T], attention that each of these has had.
        rows, step: [R], of which rings, and how many tokens came since they were full.
    """
    carried = rings[rows, 0, step % rings.shape[2]]
    moving = torch.ones_like(step, dtype=torch.bool)
    for level in range(1, rings.shape[1]):
        every = 1 << level
        # tokens that the ring took before are one in so many steps
        oldest = (step + every - 1) // every % rings.shape[2]
        newest = (oldest - 1) % rings.shape[2]
        takes = step % every == 0
        better = had[rows, carried] > had[rows, rings[rows, level, newest]]
        at = torch.where(takes, oldest, newest)
        before = rings[rows, level, at]
        swaps = moving & (takes | better)
        rings[rows, level, at] = torch.where(swaps, carried, before)
        carried = torch.where(swaps, before, carried)
        moving = moving & takes
    return carried


class CascadeRings:
    """Which tokens of one sequence each of several layers keeps, by their numbers; on the host.

    Args:
        settings: How many.
        layers: Of the model.
        tokens: That will come in all.
    """

    def __init__(self, settings: Cascade, layers: int, tokens: int) -> None:
        self._settings, self._come = settings, 0
        # attention that tokens have had, and the numbers of each ring's
        self._had = torch.zeros(layers, tokens, dtype=torch.float64)
        first = _first_rings(settings, torch.device("cpu"))
        self._rings = first.repeat(layers, 1, 1)

    @property
    def held(self) -> Tensor:
        """Numbers of the tokens that each layer keeps, rising, [layers, N]."""
        settings, layers = self._settings, len(self._had)
        if self._come <= settings.kept:
            return torch.arange(self._come).expand(layers, -1)
        first = torch.arange(settings.first).expand(layers, -1)
        return torch.cat([first, self._rings.flatten(1).sort(dim=1).values], dim=1)

    def take(self, seen: Tensor, new: int) -> None:
        """Take in the next tokens.

        Args:
            seen: [layers, N + new], decayed attention to the tokens that are kept and to the new ones.
            new: How many.
        """
        begin, had, rows = self._come, self._had, torch.arange(len(self._had))
        held = torch.cat([self.held, torch.arange(begin, begin + new).expand(len(rows), -1)], dim=1)
        got = self._settings.decay**new * had.gather(1, held) + seen
        had.scatter_(1, held, got)
        for token in range(max(begin, self._settings.kept), begin + new):
            step = torch.full_like(rows, token - self._settings.kept)
            _handed_on(self._rings, had, rows, step)
            self._rings[:, 0, int(step[0]) % self._rings.shape[2]] = token
        self._come = begin + new


def _first_rings(settings: Cascade, device: torch.device) -> Tensor:
    """Return what rings hold when they have just become full, [N, W]: the last one's tokens first."""
    levels, width = settings.levels, settings.capacity // settings.levels
    return torch.arange(settings.first, settings.kept, device=device).view(levels, width).flip(0)


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
