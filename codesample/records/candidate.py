"""One sampled continuation of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from codesample.records.short import short
from codesample.records.usage import Usage
from codesample.records.validation import validated

__all__ = ["Candidate", "FinishReason"]

_T = TypeVar("_T")


class FinishReason(StrEnum):
    """Why a candidate ended; the last one is that its server withheld the rest."""

    STOP = "stop"
    EOS = "eos"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


@validated
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
        certainties: Of each of `token_ids`, the self-certainty of the model's own distribution: its distance
            from the uniform one, KL(uniform || p), in nats (arXiv:2502.18581). None where none was recorded.
        confidences: The same as token confidence: minus the mean log-probability of the 20 likeliest tokens,
            in nats (arXiv:2508.15260). Both are higher where the model is surer.
        finish_reason: Why it ended.
        stop: The stop string found, if any.
        program: The text that is run; filled in by the task, None before.
        token_ends: Of each of `token_ids`, how much of `completion` there is up to it and with it, in
            characters: never less than for the token before, and for the last one all of it. A token that
            completes no character adds nothing, such as the first bytes of one or a special token; of one
            that a stop string cut, what is left counts. None where the source of the sample kept none.
        rule: Which rule made `program` of the text, such as "fence"; None before, and for a program that was
            given as one.
        spans: Which parts of `completion` the program was made of: (begin, end) in characters, ascending.
        usage: What it took, as a server says that drew it. Of candidates that one request asked for, the
            first has it all.
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
    certainties: tuple[float, ...] | None = None
    confidences: tuple[float, ...] | None = None
    usage: Usage | None = None

    @property
    def tokens_drawn(self) -> int:
        """How many tokens it took: its server's count, or else of `token_ids`; 0 where nobody knows."""
        return self.usage.completion_tokens if self.usage is not None else len(self.token_ids or ())

    def __repr__(self) -> str:
        parts = [short(self.task_id), f"{self.index}", short(self.completion)]
        if self.token_ids is not None:
            parts.append(f"{len(self.token_ids)} tokens")
        if self.finish_reason is not None:
            parts.append(f"{self.finish_reason}")
        return f"Candidate({', '.join(parts)})"

    def within(self, spans: Sequence[tuple[int, int]] | None) -> Candidate:
        """Return this candidate with the tokens of parts of its text only, such as those of its program.

        Ids, whatever is known of each token and ends are kept of each token that adds a character to a part;
        a token that adds none belongs with the next one that does, behind the last one with that. The text
        and everything else stay. To be asked of a whole candidate: where tokens are left out, ends no longer
        say where the next one begins. Without `token_ends`, nobody knows which token adds what, and all are
        kept.

        Args:
            spans: (begin, end) in characters of `completion`, ascending; None keeps all.
        """
        if spans is None or self.token_ends is None or list(spans) == [(0, len(self.completion))]:
            return self
        kept = _overlapping(self.token_ends, spans)
        return replace(
            self,
            token_ids=_at(self.token_ids, kept),
            logprobs=_at(self.logprobs, kept),
            sampled_logprobs=_at(self.sampled_logprobs, kept),
            token_ends=_at(self.token_ends, kept),
            certainties=_at(self.certainties, kept),
            confidences=_at(self.confidences, kept),
        )


def _overlapping(ends: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return which tokens share a character with one of the spans."""
    return [
        number
        for number, (begin, end) in enumerate(_characters(ends))
        if any(max(begin, first) < min(end, last) for first, last in spans)
    ]


def _characters(ends: Sequence[int]) -> list[tuple[int, int]]:
    """Return of each token which characters it adds, or helps to."""
    found: list[tuple[int, int]] = []
    before = begin = 0
    for number, end in enumerate(ends):
        if end > before:
            begin, before = before, end
            found += [(begin, end)] * (number + 1 - len(found))
    # what adds nothing at the end stays with the last that added something
    return found + [(begin, before)] * (len(ends) - len(found))


def _at(values: Sequence[_T] | None, positions: Sequence[int]) -> tuple[_T, ...] | None:
    return None if values is None else tuple(values[position] for position in positions)
