"""Every token that was drawn for a candidate, what ended it included, for whoever trains on them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Trajectory"]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What was drawn for one candidate, to the token that ended it.

    A candidate leaves out its end token, and what a stop string cut.

    Attributes:
        task_id, index: Which candidate.
        prompt_ids: Tokens that it continues.
        token_ids: Tokens drawn; at least one.
        logprobs: Natural log-probability of each under the model's own distribution.
        sampled_logprobs: The same under the distribution drawn from, tempered and truncated.
    """

    task_id: str
    index: int
    prompt_ids: tuple[int, ...]
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    sampled_logprobs: tuple[float, ...]
