"""What a model is given: a text to continue, or messages to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError

__all__ = ["Message", "Prompt", "prompt_from"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: "system", "user" or "assistant", or what else the model's template knows.
        content: Text, to the letter.

    Raises:
        ParameterError: a role or content that is no text, or an empty role.
    """

    role: str
    content: str

    def __post_init__(self) -> None:
        for name in ("role", "content"):
            value = getattr(self, name)
            if not isinstance(value, str):
                raise ParameterError(f"{name} of a message is {type(value).__name__}, expected a text")
        if not self.role:
            raise ParameterError("role of a message is empty; expected system, user or assistant")


Prompt = str | tuple[Message, ...]
"""A text to continue, or messages to answer; a last one of the assistant's is an answer to go on with."""


def prompt_from(given: Any, *, name: str = "prompt") -> Prompt:
    """Return a prompt from a text, or from messages: `Message`s, or mappings with `role` and `content`.

    Args:
        name: What it is called in messages of errors.

    Raises:
        ParameterError: it is neither, no message at all, or a message with other keys; says what was got.
    """
    if isinstance(given, str):
        return given
    if not isinstance(given, Sequence) or isinstance(given, bytes | bytearray):
        raise ParameterError(
            f"{name} is {type(given).__name__}, expected a text or a list of messages such as "
            '[{"role": "user", "content": "..."}]'
        )
    if not given:
        raise ParameterError(f"{name} is an empty list; expected at least one message")
    return tuple(_message(each, f"{name}[{number}]") for number, each in enumerate(given))


def _message(given: Any, place: str) -> Message:
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping):
        raise ParameterError(f"{place} is {type(given).__name__}, expected a message with role and content")
    if set(given) != {"role", "content"}:
        raise ParameterError(
            f"{place} has {', '.join(map(repr, given)) or 'nothing'}; expected role and content"
        )
    return Message(given["role"], given["content"])
