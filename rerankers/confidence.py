"""Rerankers by how sure the model was at each token, whichever token it then drew.

The published windows of 2,048 tokens are made for chains of thought; a program has 50 to 300 tokens, and
each would be one window. Here a window is 32 tokens by default, about three lines of code.
"""

from __future__ import annotations

import math
from typing import Annotated

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds
from codesample.rerankers.windows import mean, window_means

__all__ = ["deepconf", "deepconf_bottom", "deepconf_lowest", "deepconf_tail", "self_certainty"]

_Tokens = Annotated[int, Bounds(least=1)]


@reranker(needs={"confidence"}, per_candidate=True)
def self_certainty(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by how far the model's distribution was from the uniform one, in nats, mean over the tokens.

    An empty candidate abstains. The published vote by Borda counts is for answers that can be equal; for
    programs the highest score is taken, as published for open-ended code.

    Formula: 1/T sum_t KL(uniform || p_t) = 1/T sum_t (-1/V sum_j log p_t(j) - log V)
    Source: arXiv:2502.18581
    Needs: confidence
    Cost: nothing
    Leaning: towards repetitive text; less towards any length than a sum
    """
    return mean(candidate.certainties)


@reranker(needs={"confidence"}, per_candidate=True)
def deepconf(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by the mean token confidence of the whole program, in nats; an empty candidate abstains.

    A token's confidence is minus the mean log-probability of the 20 likeliest tokens: higher where one of
    them takes nearly all.

    Formula: 1/T sum_t C_t, with C_t = -1/k sum_(j in top k) log p_t(j)
    Source: arXiv:2508.15260, average trace confidence
    Needs: confidence
    Cost: nothing
    Leaning: towards repetitive text
    """
    return mean(candidate.confidences)


@reranker(needs={"confidence"}, per_candidate=True)
def deepconf_lowest(
    view: PublicView, candidate: Candidate, ctx: Context, *, window: _Tokens = 32
) -> float | None:
    """Score by the lowest mean confidence of any `window` tokens in a row; an empty candidate abstains.

    A program of at most `window` tokens has its whole mean.

    Formula: min_s 1/w sum_(t=s..s+w-1) C_t
    Source: arXiv:2508.15260, lowest group confidence (published with w = 2048)
    Needs: confidence
    Cost: nothing
    Leaning: towards short programs, which have fewer windows to be unsure in
    """
    return min(window_means(candidate.confidences, window)) if candidate.confidences else None


@reranker(needs={"confidence"}, per_candidate=True)
def deepconf_tail(
    view: PublicView, candidate: Candidate, ctx: Context, *, window: _Tokens = 32
) -> float | None:
    """Score by the mean confidence of the last `window` tokens; an empty candidate abstains.

    Formula: 1/w sum_(t=T-w+1..T) C_t
    Source: arXiv:2508.15260, tail confidence (published with w = 2048)
    Needs: confidence
    Cost: nothing
    Leaning: made for answers at the end of a chain of thought; a program may well go wrong before its end
    """
    return mean(candidate.confidences[-window:]) if candidate.confidences else None


@reranker(needs={"confidence"}, per_candidate=True)
def deepconf_bottom(
    view: PublicView,
    candidate: Candidate,
    ctx: Context,
    *,
    window: _Tokens = 32,
    share: Annotated[float, Bounds(least=0, most=1)] = 0.1,
) -> float | None:
    """Score by the mean of the least confident windows, a `share` of all; an empty candidate abstains.

    At least one window counts, so that few windows make this `deepconf_lowest`.

    Formula: mean of the lowest max(1, floor(share W)) of the W window means
    Source: arXiv:2508.15260, bottom 10 % group confidence (published with w = 2048)
    Needs: confidence
    Cost: nothing
    Leaning: as deepconf_lowest
    """
    if not candidate.confidences:
        return None
    means = sorted(window_means(candidate.confidences, window))
    # 0.29 x 100 is a rounding below 29
    return mean(means[: max(1, math.floor(share * len(means) + 1e-9))])
