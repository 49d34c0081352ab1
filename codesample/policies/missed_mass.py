"""The true attention mass of keys that were left out.

Where D was left out and S was read, `o - o_S = e (o_D - o_S)` with e = exp(lse_D - lse), the mass of D: the
error of an output is known without computing the output again, and is at most e times the largest distance
of two values.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.policies.contract import Ask, Choice
from codesample.policies.row_scores import log_total, pooled_rows, row_logits

__all__ = ["Unread", "missed_mass", "unread_of"]

_SMALLEST = 1e-12


class Unread(NamedTuple):
    """Log-sum-exp of the scores that a step left out of a run, and of what stood for them, [R, Q, H] both."""

    left_out: Tensor
    stood_for: Tensor


def unread_of(ask: Ask, choice: Choice | None) -> Unread:
    """Measure what a choice leaves out for every query; reads all keys."""
    rows_, queries, heads, _ = ask.queries.shape
    nothing = ask.queries.new_full((rows_, queries, heads), float("-inf"), dtype=torch.float64)
    if choice is None:
        return Unread(nothing, nothing)
    kv_heads, tokens, _ = ask.keys.shape
    rows = pooled_rows(ask.queries, kv_heads)
    read = torch.zeros(kv_heads, tokens + 1, dtype=torch.bool, device=rows.device)
    # what fills up goes to a place of its own
    read.scatter_(1, choice.tokens.where(choice.tokens >= 0, tokens), True)
    parts = []
    for head in range(kv_heads):
        left = ask.keys[head][~read[head, :tokens]][None]
        parts.append(log_total(rows[head : head + 1], left, ask.scores))
    if choice.seen is not None:
        parts = [torch.logaddexp(torch.cat(parts), _hidden(ask, choice, rows))]

    def per_query(pooled: Tensor) -> Tensor:
        shape = (kv_heads, heads // kv_heads, rows_, queries)
        return pooled.reshape(shape).permute(2, 3, 0, 1).reshape(rows_, queries, heads).double()

    stood = nothing
    if choice.rest is not None:
        logits = row_logits(rows, choice.rest.k, ask.scores) + choice.rest.bias[:, None]
        stood = per_query(logits.logsumexp(dim=2))
    return Unread(per_query(torch.cat(parts)), stood)


def _hidden(ask: Ask, choice: Choice, rows: Tensor) -> Tensor:
    """Return each row's log-sum-exp over tokens that are read, but that it does not see, [G, n]."""
    assert choice.seen is not None
    rows_, queries, heads, _ = ask.queries.shape
    kv_heads, tokens = choice.tokens.shape
    seen = choice.seen.expand(kv_heads, heads // kv_heads, rows_, queries, tokens).flatten(1, 3)
    filled = choice.tokens >= 0
    at = choice.tokens.clamp_min(0)[..., None].expand(-1, -1, ask.keys.shape[2])
    logits = row_logits(rows, ask.keys.gather(1, at), ask.scores)
    return logits.masked_fill(seen | ~filled[:, None], float("-inf")).logsumexp(dim=2)


def missed_mass(unread: Unread, lse: Tensor) -> Tensor:
    """Return the attention mass that each query missed, of all that it sees.

    Args:
        unread: Of the step, with left out and stood for summed over the runs that a row sees.
        lse: [R, Q, H], of the step's scores as they were computed, what stood for others included.

    Returns: [R, Q, H] fp64, in [0, 1].
    """
    lse = lse.double()
    # what stood for others is no key of the model
    real = lse + torch.log1p(-(unread.stood_for - lse).exp().clamp(max=1 - _SMALLEST))
    return (unread.left_out - torch.logaddexp(real, unread.left_out)).exp()
