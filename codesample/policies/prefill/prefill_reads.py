"""Follows a prefill policy through forward passes: asks it, counts what is read, measures what is missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from codesample.errors import PolicyError
from codesample.policies.accounting import PrefillTally
from codesample.policies.prefill.prefill_policy import PrefillAsk, PrefillPass, PrefillPolicy, Stretch
from codesample.policies.row_scores import row_logits

__all__ = ["PrefillReads", "missed_by"]

# queries of a stretch whose misses are measured; each is held against all keys before it
_LOOKED_AT = 8


class PrefillReads:
    """Makes of a policy what forward passes ask.

    Args:
        policy: Which.
        layers: How many the model has.
        tally: What all is added to.
    """

    def __init__(self, policy: PrefillPolicy, layers: int, tally: PrefillTally) -> None:
        self.policy, self._layers, self._tally = policy, layers, tally
        self._pass: PrefillPass | None = None
        # runs of the pass that have been counted, and by layer how many stretches left keys out
        self._counted: set[int] = set()
        self._seen: Counter[int] = Counter()

    def begin(self) -> None:
        """Begin a forward pass."""
        self._pass = self.policy.begin()
        self._counted.clear()

    def stretches(self, ask: PrefillAsk) -> Sequence[Stretch]:
        """Return what the tokens read; below the guard and in layers with a window everything."""
        if ask.stop < self.policy.guard or ask.scores.window is not None or self._pass is None:
            return [Stretch(ask.begin, ask.end)]
        found = self._pass.stretches(ask)
        if [ask.begin, *(each.end for each in found)] != [*(each.begin for each in found), ask.end]:
            raise PolicyError(
                f"policy prefill = {self.policy.name!r} spoke of {[each[:2] for each in found]}; expected "
                f"stretches from {ask.begin} to {ask.end}"
            )
        heads = len(ask.keys)
        self._tally.add(
            tokens=0 if ask.run in self._counted else ask.end - ask.begin,
            pairs=heads * _triangle(ask.begin, ask.end),
            pairs_read=heads * sum(map(_pairs, found)),
        )
        self._counted.add(ask.run)
        for each in found:
            if self._looks(each, ask.layer):
                self._tally.missed(ask.layer, missed_by(each, ask), layers=self._layers)
        return found

    def _looks(self, stretch: Stretch, layer: int) -> bool:
        if not self.policy.audit or stretch.earlier is None:
            return False
        self._seen[layer] += 1
        return self._seen[layer] % self.policy.audit == 0


def missed_by(stretch: Stretch, ask: PrefillAsk) -> Tensor:
    """Return the attention mass that some queries of a stretch miss, [n, H], of all that each may see."""
    count = min(_LOOKED_AT, stretch.end - stretch.begin)
    at = torch.linspace(stretch.begin, stretch.end - 1, count, device=ask.keys.device).round().long()
    kv_heads, tokens, _ = ask.keys.shape
    rows = ask.queries[:, at - ask.begin]
    rows = rows.to(torch.promote_types(rows.dtype, torch.float32)).reshape(kv_heads, -1, rows.shape[2])
    places = torch.arange(tokens, device=at.device)
    logits = row_logits(rows, ask.keys, ask.scores).unflatten(1, (-1, count))
    logits = logits.masked_fill(places > at[:, None], float("-inf"))
    read = (places >= stretch.own).expand(kv_heads, -1).clone()
    if stretch.earlier is not None:
        read.scatter_(1, stretch.earlier, True)
    total = logits.logsumexp(dim=3)
    if ask.scores.sinks is not None:
        total = torch.logaddexp(total, ask.scores.sinks.to(total).view(kv_heads, -1, 1))
    left_out = logits.masked_fill(read[:, None, None], float("-inf")).logsumexp(dim=3)
    mass: Tensor = (left_out - total).exp()
    return mass.flatten(0, 1).T


def _pairs(stretch: Stretch) -> int:
    begin, end, own, earlier = stretch
    more = 0 if earlier is None else earlier.shape[1]
    return more * (end - begin) + _triangle(begin - own, end - own)


def _triangle(begin: int, end: int) -> int:
    """Return how many keys the tokens begin .. end - 1 see in all, each up to itself."""
    return (end * (end + 1) - begin * (begin + 1)) // 2
