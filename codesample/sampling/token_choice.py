"""Which token comes next: truncation, inverse CDF and the log-probabilities that are kept.

Tokens are ordered by falling logit, equal logits by rising id. Temperature keeps that order, and
top-k, top-p and min-p each keep a prefix of it, so a draw needs only as many sorted tokens as the
kept prefix is long: the vocabulary is searched with a short `topk` first and sorted whole only for
rows whose kept prefix is longer.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from codesample.records import SamplingParams

__all__ = ["Choice", "choose"]

# tokens looked at first, and the factor by which rows that need more look further;
# code models keep a few dozen tokens at top-p 0.95
_SHORT = 64
_WIDER = 16


class Choice(NamedTuple):
    """Tokens drawn in one step.

    Attributes:
        tokens: [R], int64; -1 for a row not settled (see `choose`).
        logprobs: [R], float32, under the softmax of the logits as given.
        sampled_logprobs: [R], float32, under the distribution drawn from; 0 when greedy.
    """

    tokens: Tensor
    logprobs: Tensor
    sampled_logprobs: Tensor


def choose(
    logits: Tensor,
    uniforms: Tensor,
    params: SamplingParams,
    *,
    edited: Tensor | None = None,
    width: int | None = None,
) -> Choice:
    """Draw one token per row by inverse CDF.

    Args:
        logits: [R, V], any float dtype; -inf marks a token that cannot come.
        uniforms: [R], float64 in [0, 1); unused when greedy.
        params: Temperature and truncation. Filters apply in the order temperature, typical-p, top-k, top-p,
            min-p, each on what the one before left.
        edited: [R, V], the logits to draw from where those differ from the model's own; `logprobs` stay
            those of `logits`. Default: the same.
        width: Look at so many of the likeliest tokens (or top_k + 1, if more), and give -1 to rows that these
            do not settle, without asking the host anything. Default: look further until all are settled.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    norm = logits.logsumexp(-1)
    tokens, kept_logprob = _drawn(logits if edited is None else edited, uniforms, params, width)
    picked = logits.gather(-1, tokens.clamp_min(0)[:, None])[:, 0]
    return Choice(tokens, (picked - norm).float(), kept_logprob.float())


def _drawn(
    logits: Tensor, uniforms: Tensor, params: SamplingParams, width: int | None
) -> tuple[Tensor, Tensor]:
    """Return tokens and their log-probabilities under the distribution drawn from."""
    if params.temperature == 0:
        # the lowest id among equal logits, as everywhere here; argmax promises no order
        top = logits.amax(-1, keepdim=True)
        ids = torch.arange(logits.shape[-1], device=logits.device)
        tokens = torch.where(logits == top, ids, logits.shape[-1]).amin(-1)
        return tokens, torch.zeros_like(uniforms)
    tempered = logits / params.temperature
    if params.typical_p < 1:
        tempered = _typical(tempered, params.typical_p)
    # top-p is a share of what top-k leaves, so all of that has to be in sight
    norm, first = tempered.logsumexp(-1), max(width or _SHORT, params.top_k + 1)
    tokens, logprob, settled = _draw(tempered, norm, uniforms, params, first)
    if width is not None:
        return torch.where(settled, tokens, -1), logprob
    while not settled.all():
        first *= _WIDER
        rows = (~settled).nonzero()[:, 0]
        tokens[rows], logprob[rows], settled[rows] = _draw(
            tempered[rows], norm[rows], uniforms[rows], params, first
        )
    return tokens, logprob


def _typical(logits: Tensor, share: float) -> Tensor:
    """Set all but the tokens of most expected surprise to -inf, keeping at least `share` of the mass."""
    logprobs = logits.log_softmax(-1)
    mass = logprobs.exp()
    # a token that cannot come has no surprise: 0 * -inf must not turn into NaN
    entropy = -(mass * logprobs.clamp(min=-1e30)).sum(-1, keepdim=True)
    order = (-logprobs - entropy).abs().argsort(dim=-1, stable=True)
    ordered = mass.gather(-1, order)
    before = ordered.cumsum(-1) - ordered
    dropped = torch.empty_like(before, dtype=torch.bool).scatter_(-1, order, before >= share)
    return logits.masked_fill(dropped, float("-inf"))


def _draw(
    logits: Tensor, norm: Tensor, uniforms: Tensor, params: SamplingParams, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw from the `width` likeliest tokens; return tokens, their log-probabilities, and which rows settle."""
    vocabulary = logits.shape[-1]
    whole = width >= vocabulary
    if whole:
        values, ids = logits.sort(dim=-1, descending=True, stable=True)
    else:
        values, ids = _sorted_top(logits, width)
    mass = (values - norm[:, None]).double().exp()
    cumulative = mass.cumsum(-1)
    kept, total = _kept(mass, cumulative, params, whole=whole)
    target = uniforms * total
    at = torch.minimum((cumulative <= target[:, None]).sum(-1), kept - 1)[:, None]
    tokens = ids.gather(-1, at)[:, 0]
    logprob = mass.gather(-1, at)[:, 0].log() - total.log()
    if whole:
        return tokens, logprob, torch.ones_like(tokens, dtype=torch.bool)
    # the last column may tie with tokens not seen, so nothing that reaches it is settled
    edge = torch.maximum(kept - 1, at[:, 0]) if _truncates(params) else at[:, 0]
    return tokens, logprob, values.gather(-1, edge[:, None])[:, 0] > values[:, -1]


def _truncates(params: SamplingParams) -> bool:
    return params.top_k > 0 or params.top_p < 1 or params.min_p > 0


def _sorted_top(logits: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return the `width` largest logits, falling, equal ones by rising id."""
    values, ids = logits.topk(width, dim=-1)
    ids, by_id = ids.sort(dim=-1)
    values, by_value = values.gather(-1, by_id).sort(dim=-1, descending=True, stable=True)
    return values, ids.gather(-1, by_value)


def _kept(mass: Tensor, cumulative: Tensor, params: SamplingParams, *, whole: bool) -> tuple[Tensor, Tensor]:
    """Return per row how many leading tokens are kept, [R] int64, and their mass, [R] float64.

    A prefix that goes on beyond the columns at hand is reported as all of them.
    """
    width = mass.shape[-1]
    limit = min(params.top_k or width, width)
    # without top-k the mass not seen counts as well: it is 1 in all, up to rounding
    total = cumulative[:, limit - 1] if whole or params.top_k else torch.ones_like(cumulative[:, 0])
    kept = torch.full_like(total, limit, dtype=torch.int64)
    if params.top_p < 1:
        kept = torch.minimum(kept, (cumulative < params.top_p * total[:, None]).sum(-1) + 1)
    if params.min_p > 0:
        kept = torch.minimum(kept, (mass >= params.min_p * mass[:, :1]).sum(-1))
    if _truncates(params):
        total = cumulative.gather(-1, kept[:, None] - 1)[:, 0]
    return kept, total
