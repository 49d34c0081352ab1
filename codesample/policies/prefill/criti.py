"""Segments of queries that read the blocks of earlier keys which matter most to them (CritiPrefill)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPass, PrefillPolicy, Stretch
from codesample.records.fields import check_settings, setting

__all__ = ["Criti", "criticality"]

# of a layer's scores, what comes from the layer before; the first two layers stand for themselves
_FROM_BEFORE, _FIRST_FUSED = 0.25, 2


@dataclass(frozen=True)
class Criti(PrefillPolicy):
    """Let each segment of a prompt attend to itself and to the blocks before it that matter most to it.

    Attributes:
        budget: Tokens before its own that a segment reads.
        segment: Queries that choose together.
        block: Keys that are chosen together; `segment` is a multiple of it.
        threshold: Segments that begin before this position attend to everything.
        layer_skip: So many first layers attend to everything.
        guard: Runs that end before so many tokens attend to everything.
        audit: Of every so manieth segment some queries measure what they miss; 0: none.

    The last segment of a run attends to everything, so the first token is drawn from all keys.

    Raises:
        ParameterError: a value outside its range, or sizes that do not fit one another.
    Source: arXiv:2409.12490, with the scale of the layer's scores before the softmax over blocks.
    """

    name = "criti"

    budget: int = setting(
        2048, "Earlier tokens that a segment reads.", expected="at least 1", holds=lambda value: value >= 1
    )
    segment: int = setting(
        512, "Queries that choose together.", expected="at least 1", holds=lambda value: value >= 1
    )
    block: int = setting(32, "Keys chosen together.", expected="at least 1", holds=lambda value: value >= 1)
    threshold: int = setting(
        4096, "First tokens, run in full.", expected="at least 0", holds=lambda value: value >= 0
    )
    layer_skip: int = setting(
        1, "First layers, run in full.", expected="at least 0", holds=lambda value: value >= 0
    )
    guard: int = setting(
        32768, "Shorter runs are run in full.", expected="at least 0", holds=lambda value: value >= 0
    )
    audit: int = setting(
        0,
        "Measure at every so manieth segment what is missed.",
        expected="a number of segments, 0 for none",
        holds=lambda value: value >= 0,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.segment % self.block:
            raise ParameterError(f"segment = {self.segment}: expected a multiple of block = {self.block}")
        if self.budget < self.block:
            raise ParameterError(f"budget = {self.budget}: expected at least one block of {self.block}")

    @property
    def step(self) -> int:
        """Segments are not cut in two."""
        return self.segment

    def begin(self) -> PrefillPass:
        """Begin a pass; the scores of a layer are kept for the next."""
        return _CritiPass(self)


class _CritiPass(PrefillPass):
    def __init__(self, policy: Criti) -> None:
        self._policy = policy
        # by run: [G, segments, blocks], of the layer before
        self._before: dict[int, Tensor] = {}

    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        """Take for each segment its blocks of highest score."""
        policy, size = self._policy, self._policy.segment
        bounds = [*range(ask.begin - ask.begin % size, ask.end, size)]
        # (first query, own first key) of those that choose
        choosing = [own for own in bounds if self._chooses(own, ask)]
        if not choosing:
            return [Stretch(ask.begin, ask.end)]
        scores = self._fused(ask, choosing)
        count = policy.budget // policy.block
        found: list[Stretch] = []
        for own in bounds:
            begin, end = max(own, ask.begin), min(own + size, ask.end)
            if own in choosing:
                part = scores[:, choosing.index(own), : own // policy.block]
                # of equal blocks the first
                best = part.argsort(dim=1, descending=True, stable=True)[:, :count].sort(dim=1).values
                tokens = best[..., None] * policy.block + torch.arange(policy.block, device=best.device)
                found.append(Stretch(begin, end, own, tokens.flatten(1)))
            elif found and found[-1].earlier is None:
                found[-1] = found[-1]._replace(end=end)
            else:
                found.append(Stretch(begin, end))
        return found

    def _chooses(self, own: int, ask: PrefillAsk) -> bool:
        policy = self._policy
        full = ask.layer < policy.layer_skip or own < policy.threshold or own + policy.segment >= ask.stop
        return not full and own // policy.block > policy.budget // policy.block

    def _fused(self, ask: PrefillAsk, choosing: Sequence[int]) -> Tensor:
        policy, scale = self._policy, ask.scores.scale_for(ask.keys.shape[2])
        middles = []
        for own in choosing:
            part = ask.queries[:, max(own, ask.begin) - ask.begin : own + policy.segment - ask.begin]
            middles.append((part.amax(dim=1) + part.amin(dim=1)) / 2)
        scores = criticality(torch.stack(middles, dim=1), ask.keys, block=policy.block, scale=scale)
        whole = torch.tensor([own // policy.block for own in choosing], device=scores.device)
        before_own = torch.arange(scores.shape[2], device=scores.device) < whole[:, None]
        scores = scores.masked_fill(~before_own, float("-inf")).softmax(dim=2)
        before = self._before.get(ask.run)
        if before is not None and before.shape == scores.shape and ask.layer >= _FIRST_FUSED:
            scores = _FROM_BEFORE * before + (1 - _FROM_BEFORE) * scores
        self._before[ask.run] = scores
        return scores


def criticality(middles: Tensor, keys: Tensor, *, block: int, scale: float) -> Tensor:
    """Return how much whole blocks of keys matter to segments of queries, [G, segments, blocks].

    Args:
        middles: [H, segments, D], half of the sum of the largest and the smallest query in each dimension:
            its product with a key is the mean of both products.
        keys: [G, K, D]; what is behind the last whole block is left out.
        block: Tokens of a block.
        scale: Factor on the scores.
    """
    kv_heads, tokens, _ = keys.shape
    blocks = keys[:, : tokens - tokens % block].unflatten(1, (-1, block))
    wide = torch.promote_types(middles.dtype, torch.float32)
    # [G, H / G, segments, D] and, for the largest and the smallest keys, [G, 1, D, blocks]
    queries = middles.to(wide).unflatten(0, (kv_heads, -1))
    high, low = (each.to(wide).transpose(1, 2)[:, None] for each in (blocks.amax(dim=2), blocks.amin(dim=2)))
    return torch.maximum(queries @ high, queries @ low).mean(dim=1) * scale
