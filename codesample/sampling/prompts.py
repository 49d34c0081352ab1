"""Prompts made ready for the loops: tokenised, checked, with their limits settled."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from codesample.errors import ParameterError, UnreadableTextError
from codesample.records import Request, SamplingParams
from codesample.sampling.chat import chat_notices
from codesample.sampling.checkpoint import Checkpoint

__all__ = ["Prompt", "prompts_of"]

_log = logging.getLogger("codesample.sampling")


@dataclass(frozen=True)
class Prompt:
    """One prompt ready to be sampled.

    Attributes:
        task_id: Of the request.
        ids: Tokens of the whole prompt.
        indices: Which candidates to draw.
        limit: Most tokens per candidate.
        header: How many of its first tokens are stored once for this and other prompts.
        chat: Whether it was messages, so that the chat template's end tokens end its candidates.
    """

    task_id: str
    ids: tuple[int, ...]
    indices: tuple[int, ...]
    limit: int
    header: int = 0
    chat: bool = False

    @property
    def header_ids(self) -> tuple[int, ...]:
        """Its tokens that are stored once for several prompts."""
        return self.ids[: self.header]

    @property
    def body_ids(self) -> tuple[int, ...]:
        """The rest of its tokens."""
        return self.ids[self.header :]


def prompts_of(checkpoint: Checkpoint, requests: Sequence[Request], params: SamplingParams) -> list[Prompt]:
    """Tokenise every prompt before anything is sampled, so that bad input costs no finished work.

    Requests without indices are left out. Candidates get `params.token_limit`, or what the
    model's positions leave behind the prompt where that is less.

    Raises:
        ParameterError: an index asked for twice or below 0, an empty prompt, or one that fills all positions.
    """
    prompts = []
    seen: set[tuple[str, int]] = set()
    for request in requests:
        keys = [(request.task_id, index) for index in request.indices]
        if len(set(keys)) < len(keys) or not seen.isdisjoint(keys) or any(i < 0 for i in request.indices):
            raise ParameterError(
                f"{request.task_id}: indices must be different and at least 0, each asked for once"
            )
        seen.update(keys)
        if not keys:
            continue
        ids = checkpoint.encode(request.prompt)
        limit = params.token_limit
        if checkpoint.max_positions is not None:
            limit = min(limit, checkpoint.max_positions - checkpoint.positions(len(ids)))
        if limit < 1:
            raise UnreadableTextError(
                f"{request.task_id}: the prompt has {len(ids)} tokens and {checkpoint.name} takes "
                f"{checkpoint.max_positions} in all; shorten the prompt or choose a model with more positions"
            )
        chat = not isinstance(request.prompt, str)
        prompts.append(Prompt(request.task_id, ids, tuple(request.indices), limit, chat=chat))
    _tell_of_messages(checkpoint, requests)
    return prompts


def _tell_of_messages(checkpoint: Checkpoint, requests: Sequence[Request]) -> None:
    """Log what the chat template does to messages unasked, each once."""
    found: dict[str, None] = {}
    for request in requests:
        if request.indices and not isinstance(request.prompt, str):
            found |= dict.fromkeys(chat_notices(checkpoint.tokenizer, request.prompt))
    for notice in found:
        _log.warning("%s: %s", checkpoint.name, notice)
