"""Rerankers by the model's own probability of what it wrote; free, since sampling recorded it."""

from __future__ import annotations

import math
from typing import Annotated

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds
from codesample.rerankers.windows import mean, window_means

__all__ = ["mean_logprob", "min_window_logprob", "sum_logprob"]


@reranker(needs={"logprobs"}, per_candidate=True)
def mean_logprob(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by the mean log-probability per token, in nats; an empty candidate abstains.

    Taken under the untempered, untruncated distribution, over the tokens of the program.

    Formula: 1/T sum_t log p(y_t | x, y_<t)
    Source: arXiv:2107.03374, section 3.3
    Needs: logprobs
    Cost: nothing
    Leaning: towards long and repetitive text, of which every token is easy to foresee
    """
    return mean(candidate.logprobs)


@reranker(needs={"logprobs"}, per_candidate=True)
def sum_logprob(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by the log-probability of the whole candidate, in nats; an empty candidate abstains.

    Formula: sum_t log p(y_t | x, y_<t)
    Source: arXiv:2107.03374, section 3.3
    Needs: logprobs
    Cost: nothing
    Leaning: towards short programs, such as a bare return; can fall below a random choice
    """
    return math.fsum(candidate.logprobs) if candidate.logprobs else None


@reranker(needs={"logprobs"}, per_candidate=True)
def min_window_logprob(
    view: PublicView, candidate: Candidate, ctx: Context, *, window: Annotated[int, Bounds(least=1)] = 32
) -> float | None:
    """Score by the lowest mean log-probability of any `window` tokens in a row; an empty candidate abstains.

    A program of at most `window` tokens has its whole mean. The default is about three lines of code.

    Formula: min_s 1/w sum_(t=s..s+w-1) log p(y_t | x, y_<t)
    Source: the lowest group of arXiv:2508.15260, with log-probabilities in place of confidences
    Needs: logprobs
    Cost: nothing
    Leaning: towards short programs, which have fewer windows to be unlikely in
    """
    return min(window_means(candidate.logprobs, window)) if candidate.logprobs else None
