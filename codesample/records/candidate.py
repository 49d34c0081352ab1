"""One sampled continuation of a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Candidate", "FinishReason"]


class FinishReason(StrEnum):
    """Why a candidate ended."""

    STOP = "stop"
    EOS = "eos"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sampled continuation.

    Attributes:
        task_id: Of the prompt.
        index: Which candidate of that prompt, from 0.
        completion: Text, cut before the stop string.
        token_ids: Tokens that produced `completion`, without what was cut and without EOS.
        logprobs: Natural log-probability of each of `token_ids` under the model's own distribution
            (temperature 1, nothing truncated); None where the source of the sample kept none.
        sampled_logprobs: The same under the distribution drawn from (tempered and truncated).
        finish_reason: Why it ended.
        stop: The stop string found, if any.
        program: The text that is run; filled in by the task, None before.
        token_ends: Of each of `token_ids`, how long the text is up to it and with it, in characters; None
            where the source of the sample kept none.
        rule: Which rule made `program` of the text, such as "fence"; None before, and for a program that was
            given as one.
        spans: Which parts of `completion` the program was made of: (begin, end) in characters, ascending.
    """

    task_id: str
    index: int
    completion: str
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    sampled_logprobs: tuple[float, ...] | None = None
    finish_reason: FinishReason | None = None
    stop: str | None = None
    program: str | None = None
    token_ends: tuple[int, ...] | None = None
    rule: str | None = None
    spans: tuple[tuple[int, int], ...] | None = None
