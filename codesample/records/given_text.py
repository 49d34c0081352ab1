"""Given text as a model reads it: how likely it is, token by token."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.records.message import Prompt, prompt_from
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["GivenText", "Reading"]


@validated
@dataclass(frozen=True, slots=True)
class GivenText:
    """A prompt and a text that follows it, to be read and not drawn.

    Attributes:
        prompt: As in `Request`.
        text: What follows; of messages, the answer, or the rest of the one that was begun.
        token_ids: The text's tokens, where they are known, such as those of a candidate; None has the text
            tokenised behind the prompt.

    Raises:
        ParameterError: the prompt is neither text nor messages.
    """

    prompt: Prompt
    text: str
    token_ids: tuple[int, ...] | None = None

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", prompt_from(self.prompt))


@validated
@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of the text of a `GivenText`; every field has one item for each of its tokens.

    Attributes:
        token_ids, token_ends, logprobs, certainties, confidences: As in `Candidate`.
        prompt_tokens: How many tokens stand before.
    """

    token_ids: tuple[int, ...]
    token_ends: tuple[int, ...]
    logprobs: tuple[float, ...]
    certainties: tuple[float, ...]
    confidences: tuple[float, ...]
    prompt_tokens: int

    __repr__ = one_line
