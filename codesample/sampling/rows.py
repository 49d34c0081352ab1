"""A live row: what it has drawn so far, and when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from codesample.records import Candidate, FinishReason
from codesample.sampling.text import TextStream
from codesample.sampling.trajectory import Trajectory

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
        known: Fields of a candidate for what `push` is told of each token, in its order; the first two are
            its log-probabilities.
        told: Is told of every token drawn once the candidate is done.
    Attributes:
        ids: Tokens drawn, without the one that ended it.
        limit: As given.
        slot: Where its own keys and values are, or -1.
    """

    __slots__ = (
        "_ends",
        "_known",
        "_names",
        "_text",
        "_told",
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
        known: Sequence[str] = ("logprobs", "sampled_logprobs"),
        told: Callable[[Trajectory], None] | None = None,
    ) -> None:
        self.task_id, self.index, self.prompt_ids, self.key = task_id, index, prompt_ids, key
        self.ids: list[int] = []
        self.slot = -1
        self._names = known
        self._known: list[tuple[float, ...]] = []
        self.limit = limit
        self._text, self._ends, self._told = text, ends, told

    @property
    def text(self) -> str:
        """Its text so far; a character whose tokens are not all there is not in it yet."""
        return self._text.text

    @property
    def settled(self) -> int:
        """How many characters of the text will stay whatever comes: no stop can begin among them."""
        return self._text.settled

    def push(self, token: int, *known: float) -> Candidate | None:
        """Take the next token; return the candidate when this ends it.

        Args:
            known: Of the token, what the row was to be told; what comes behind that is not kept.
        """
        if token in self._ends:
            self._tell((token, known))
            return self._finish(FinishReason.EOS, self._ends[token])
        self.ids.append(token)
        self._known.append(known[: len(self._names)])
        stopped = self._text.push(token)
        if not stopped and len(self.ids) < self.limit:
            return None
        self._tell()
        return self._finish(FinishReason.STOP if stopped else FinishReason.LENGTH)

    def _tell(self, *ended_by: tuple[int, tuple[float, ...]]) -> None:
        if self._told is None:
            return
        drawn = [*zip(self.ids, self._known, strict=True), *ended_by]
        own, sampled = zip(*(known[:2] for _, known in drawn), strict=True)
        ids = tuple(token for token, _ in drawn)
        self._told(Trajectory(self.task_id, self.index, self.prompt_ids, ids, own, sampled))

    def _finish(self, reason: FinishReason, stop: str | None = None) -> Candidate:
        kept = len(self.ids)
        if self._text.finish():
            stop, kept = self._text.stop, self._text.kept_tokens()
        columns: list[tuple[float, ...]] = [*zip(*self._known[:kept], strict=True)]
        known: dict[str, Any] = dict(zip(self._names, columns or [()] * len(self._names), strict=True))
        return Candidate(
            task_id=self.task_id,
            index=self.index,
            completion=self._text.text,
            token_ids=tuple(self.ids[:kept]),
            finish_reason=reason if stop is None else FinishReason.STOP,
            stop=stop,
            token_ends=self._text.ends(kept),
            **known,
        )
