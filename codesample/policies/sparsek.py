"""SPARSEK attention: tokens by scores that ask no query, kept by a soft top-k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codesample.errors import ParameterError
from codesample.policies.contract import Ask, Choice, ModelFacts, SparsePolicy, StoredLayer
from codesample.policies.learned_scores import LOOKED_FOR, learned_scorers
from codesample.policies.row_scores import pooled_rows, token_votes
from codesample.policies.sparsek_projection import sparsek
from codesample.records.fields import setting

__all__ = ["Sparsek"]

# a choice by learned scores never changes
_FOR_EVER = 1 << 40


@dataclass(frozen=True)
class Sparsek(SparsePolicy):
    """Read the tokens to which the projection of their scores gives weight, and the last ones.

    Scores are the checkpoint's own, for each token once, as it is stored; so all candidates read the same by
    construction. Weights gate the values, as in training. The prompt itself is run over all keys, and own
    tokens do not compete with those of the prompt: both differ from the paper, and a model's answers with it.
    With `scores=votes`, an experiment that needs no training, scores are logarithms of what tokens get of
    all rows' attention; values are not gated then.

    Attributes:
        recent: Tokens at the end that are always read.
        scores: "learned" or "votes".

    Source: arXiv:2406.16747.
    """

    name = "sparsek"

    recent: int = setting(
        128, "Tokens at the end always read.", expected="at least 0", holds=lambda value: value >= 0
    )
    scores: str = setting(
        "learned",
        "Whose scores: the checkpoint's, or votes of all rows.",
        expected="'learned' or 'votes'",
        holds=lambda value: value in ("learned", "votes"),
    )

    @property
    def query_free(self) -> bool:  # type: ignore[override]
        """Whether scores are the checkpoint's."""
        return self.scores == "learned"

    @property
    def reads_keys(self) -> bool:  # type: ignore[override]
        """Whether votes are taken."""
        return not self.query_free

    @property
    def notice(self) -> str:  # type: ignore[override]
        """What a report has to say of it."""
        return "" if self.query_free else "an experiment: the model's own attention stands for trained scores"

    def fitted(self, facts: ModelFacts) -> Sparsek:
        """Refuse a model without scores of its own; see `PrefixPolicy.fitted`."""
        if self.query_free and not learned_scorers(facts):
            raise ParameterError(
                f"policy 'sparsek': {facts.name!r} has no scores of its own (looked for {LOOKED_FOR}, one "
                "for each layer); train them, or say sparsek(scores=votes), an experiment that needs none"
            )
        return self

    def prepare(self, layers: Sequence[StoredLayer]) -> list[Choice | None]:
        """Choose, once and for all, where scores are learned."""
        return [self._learned(layer) for layer in layers]

    def _learned(self, layer: StoredLayer) -> Choice | None:
        if not self.query_free:
            return None
        if layer.learned is None:
            raise ParameterError(f"policy 'sparsek': layer {layer.number} gave its tokens no scores")
        return self._kept(layer.learned, layer.keys.shape[1], gated=True)

    def select(self, ask: Ask, state: Choice | None) -> Choice | None:
        """Return the choice that was prepared, or take the tokens of most votes."""
        if self.query_free:
            return state
        kv_heads, tokens, _ = ask.keys.shape
        if self._budget(tokens) >= tokens - self.recent:
            return None
        keys = ask.keys[:, : tokens - self.recent]
        votes, read_bytes = token_votes(pooled_rows(ask.queries, kv_heads), keys, ask.scores)
        choice = self._kept(votes.double().clamp_min(1e-300).log(), tokens, gated=False)
        return None if choice is None else choice._replace(scored_bytes=read_bytes, steps=None)

    def _budget(self, tokens: int) -> int:
        return max(math.ceil(self.keep * tokens) - self.recent, 1)

    def _kept(self, scores: Tensor, tokens: int, *, gated: bool) -> Choice | None:
        """Take of the tokens before the last ones those that have weight; the number differs by head."""
        older, budget = tokens - self.recent, self._budget(tokens)
        if budget >= older:
            return None
        weights = sparsek(scores[:, :older], budget).weights
        counts = (weights > 0).sum(dim=1, keepdim=True)
        most = int(counts.max())
        index = (weights <= 0).to(torch.int8).argsort(dim=1, stable=True)[:, :most]
        spare = torch.arange(most, device=index.device) >= counts
        last = torch.arange(older, tokens, device=index.device).expand(len(index), -1)
        gate = weights.gather(1, index)
        # what fills up a list stands behind all of its tokens
        joined = torch.cat([index.masked_fill(spare, tokens), last], dim=1)
        gate = torch.cat([gate, torch.ones_like(last, dtype=gate.dtype)], dim=1)
        order = joined.argsort(dim=1, stable=True)
        joined = joined.gather(1, order)
        return Choice(
            joined.masked_fill(joined == tokens, -1),
            0,
            gate=gate.gather(1, order) if gated else None,
            steps=_FOR_EVER,
        )
