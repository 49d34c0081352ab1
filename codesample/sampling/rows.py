"""A live row: what it has drawn so far, and when it is done."""

from __future__ import annotations

from collections.abc import Mapping

from codesample.records import Candidate, FinishReason
from codesample.sampling.text import TextStream

__all__ = ["Row"]


class Row:
    """One candidate while it is being sampled.

    Args:
        task_id, index: Which candidate.
        prompt_ids: Tokens it continues.
        key: Of its random stream, see `random_streams.row_key`.
        text: Fresh stream that starts behind the prompt.
        ends: Tokens that end it, each with the stop string that it is, or None for EOS.
        limit: Most tokens it may draw.
    Attributes:
        ids: Tokens drawn, without the one that ended it.
        limit: As given.
        slot: Where its own keys and values are, or -1.
    """

    __slots__ = (
        "_ends",
        "_logprobs",
        "_sampled",
        "_text",
        "ids",
        "index",
        "key",
        "limit",
        "prompt_ids",
        "slot",
        "task_id",
    )

    def __init__(
        self,
        task_id: str,
        index: int,
        *,
        prompt_ids: tuple[int, ...],
        key: int,
        text: TextStream,
        ends: Mapping[int, str | None],
        limit: int,
    ) -> None:
        self.task_id, self.index, self.prompt_ids, self.key = task_id, index, prompt_ids, key
        self.ids: list[int] = []
        self.slot = -1
        self._logprobs: list[float] = []
        self._sampled: list[float] = []
        self.limit = limit
        self._text, self._ends = text, ends

    def push(self, token: int, logprob: float, sampled_logprob: float) -> Candidate | None:
        """Take the next token; return the candidate when this ends it."""
        if token in self._ends:
            return self._finish(FinishReason.EOS, self._ends[token])
        self.ids.append(token)
        self._logprobs.append(logprob)
        self._sampled.append(sampled_logprob)
        if self._text.push(token):
            return self._finish(FinishReason.STOP)
        if len(self.ids) == self.limit:
            return self._finish(FinishReason.LENGTH)
        return None

    def _finish(self, reason: FinishReason, stop: str | None = None) -> Candidate:
        kept = len(self.ids)
        if self._text.finish():
            stop, kept = self._text.stop, self._text.kept_tokens()
        return Candidate(
            task_id=self.task_id,
            index=self.index,
            completion=self._text.text,
            token_ids=tuple(self.ids[:kept]),
            logprobs=tuple(self._logprobs[:kept]),
            sampled_logprobs=tuple(self._sampled[:kept]),
            finish_reason=reason if stop is None else FinishReason.STOP,
            stop=stop,
            token_ends=self._text.ends(kept),
        )
