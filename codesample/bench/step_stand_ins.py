"""What stands in for a row, for drawing and for shared keys while single decode steps are timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from codesample.kernels.bifurcated_decode import ScoreOptions
from codesample.sampling.kv_store import KVStore
from codesample.sampling.rows import Row
from codesample.sampling.token_choice import Choice
from codesample.sampling.token_sampler import TokenSampler

__all__ = ["Begun", "GivenTokens", "JoinedBuffers"]


class Begun(NamedTuple):
    """Stands in for a row: what a step reads of one."""

    ids: list[int]
    limit: int


class GivenTokens(TokenSampler):
    """Draws nothing: tokens [steps, R] are known before, so that all ways read the same ones.

    Attributes:
        logits: [R, vocabulary] of the latest step.
    """

    def __init__(self, tokens: Tensor) -> None:
        self._tokens, self.logits = tokens, torch.empty(0)

    def keys(self, rows: Sequence[Row]) -> Tensor:
        """Return a key for each row, all alike: [R] int64."""
        return torch.zeros(len(rows), dtype=torch.int64, device=self._tokens.device)

    def goes_on(self, tokens: Tensor) -> Tensor:
        """Say that no row ends."""
        return tokens >= 0

    def uniforms(self, keys: Tensor, positions: Tensor) -> Tensor:
        """Return the positions themselves, by which `draw` looks tokens up."""
        return positions.double()

    def draw(
        self, logits: Tensor, rows: Sequence[Row], uniforms: Tensor, *, width: int | None = None
    ) -> Choice:
        """Keep the logits, and "draw" the known tokens of the step that `uniforms` names."""
        self.logits = logits
        tokens = self._tokens.gather(0, uniforms[None].long().clamp_max(len(self._tokens) - 1))[0]
        nothing = torch.zeros_like(tokens, dtype=torch.float32)
        return Choice(tokens, nothing, nothing)


class JoinedBuffers:
    """Each row holds its prompt and its own tokens in one buffer, as without sharing; nothing is copied.

    Attributes:
        step: Own tokens each row has; set before every step.
    """

    def __init__(self, store: KVStore, context: int, rows: int) -> None:
        self._length = context
        self._keys = [self._spread(s.k_shared, rows, store.row_tokens) for s in store.layers]
        self._values = [self._spread(s.v_shared, rows, store.row_tokens) for s in store.layers]
        self.step = 0

    @staticmethod
    def _spread(shared: Tensor, rows: int, room: int) -> Tensor:
        heads, length, width = shared.shape
        buffer = shared.new_empty(rows, heads, length + room, width)
        buffer[:, :, :length] = shared
        return buffer

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scores: ScoreOptions) -> Tensor:
        """Store one new key and value per row, and attend to the row's buffer up to them."""
        upto = self._length + self.step + 1
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, upto - 1], values[:, :, upto - 1] = k[:, :, 0], v[:, :, 0]
        out = F.scaled_dot_product_attention(
            q,
            keys[:, :, :upto],
            values[:, :, :upto],
            scale=scores.scale,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return out.transpose(1, 2)
