"""Rerankers by the model's own probability of what it wrote; free, since sampling recorded it."""

from __future__ import annotations

import math

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker

__all__ = ["mean_logprob", "sum_logprob"]


@reranker(needs={"logprobs"}, per_candidate=True)
def mean_logprob(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by the mean log-probability per token, in nats; an empty candidate abstains.

    Taken under the untempered, untruncated distribution, over the tokens that survived the cut at the
    stop string. Leans towards long and repetitive text. Source: arXiv:2107.03374, section 3.3.
    """
    if not candidate.logprobs:
        return None
    return math.fsum(candidate.logprobs) / len(candidate.logprobs)


@reranker(needs={"logprobs"}, per_candidate=True)
def sum_logprob(view: PublicView, candidate: Candidate, ctx: Context) -> float | None:
    """Score by the log-probability of the whole candidate, in nats; an empty candidate abstains.

    Leans towards short programs, and can fall below a random choice. Source: arXiv:2107.03374, section 3.3.
    """
    return math.fsum(candidate.logprobs) if candidate.logprobs else None
