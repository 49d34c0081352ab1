"""A live row: what it has drawn so far, and when it is done."""

from __future__ import annotations

from codesample.records import Candidate, FinishReason
from codesample.sampling.text import TextStream

__all__ = ["Row"]


class Row:
    """One candidate while it is being sampled.

    Args:
        task_id, index: Which candidate.
        prompt: Tokens it continues.
        key: Of its random stream, see `random_streams.row_key`.
        text: Fresh stream that starts behind the prompt.
        eos_ids: Tokens that end it.
        limit: Most tokens it may draw.
    Attributes:
        ids: Tokens drawn, without EOS.
        limit: As given.
        slot: Where its own keys and values are, or -1.
    """

    __slots__ = (
        "_eos_ids",
        "_logprobs",
        "_sampled",
        "_text",
        "ids",
        "index",
        "key",
        "limit",
        "prompt",
        "slot",
        "task_id",
    )

    def __init__(
        self,
        task_id: str,
        index: int,
        *,
        prompt: tuple[int, ...],
        key: int,
        text: TextStream,
        eos_ids: frozenset[int],
        limit: int,
    ) -> None:
        self.task_id, self.index, self.prompt, self.key = task_id, index, prompt, key
        self.ids: list[int] = []
        self.slot = -1
        self._logprobs: list[float] = []
        self._sampled: list[float] = []
        self.limit = limit
        self._text, self._eos_ids = text, eos_ids

    def push(self, token: int, logprob: float, sampled_logprob: float) -> Candidate | None:
        """Take the next token; return the candidate when this ends it."""
        if token in self._eos_ids:
            return self._finish(FinishReason.EOS)
        self.ids.append(token)
        self._logprobs.append(logprob)
        self._sampled.append(sampled_logprob)
        if self._text.push(token):
            return self._finish(FinishReason.STOP)
        if len(self.ids) == self.limit:
            return self._finish(FinishReason.LENGTH)
        return None

    def _finish(self, reason: FinishReason) -> Candidate:
        if self._text.finish():
            reason = FinishReason.STOP
        kept = self._text.kept_tokens() if reason is FinishReason.STOP else len(self.ids)
        return Candidate(
            task_id=self.task_id,
            index=self.index,
            completion=self._text.text,
            token_ids=tuple(self.ids[:kept]),
            logprobs=tuple(self._logprobs[:kept]),
            sampled_logprobs=tuple(self._sampled[:kept]),
            finish_reason=reason,
            stop=self._text.stop,
        )
