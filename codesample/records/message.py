"""What a model is given: a text to continue, or messages to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError

__all__ = ["Message", "Prompt", "PromptLike", "prompt_from"]


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
                raise ParameterError(f"{name} of a message is {_type(value)}, expected a text")
        if not self.role:
            raise ParameterError("role of a message is empty; expected system, user or assistant")


Prompt = str | tuple[Message, ...]
"""A text to continue, or messages to answer; a last one of the assistant's is an answer to go on with."""

PromptLike = str | Sequence[Message | Mapping[str, str]]
"""What `prompt_from` makes a prompt of: a text, or messages, each a `Message` or its fields by name."""


def prompt_from(given: Any, *, name: str = "prompt") -> Prompt:
    """Return a prompt from a text, or from messages: `Message`s, or mappings with `role` and `content`.

    Args:
        name: What it is called in messages of errors.

    Raises:
        ParameterError: it is neither, no message at all, or a message with other keys; says what was got.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, Message | Mapping):
        raise ParameterError(
            f"{name} is one message; expected a text or a list of messages: put it into a list"
        )
    if not isinstance(given, Sequence) or isinstance(given, bytes | bytearray):
        raise ParameterError(
            f"{name} is {_type(given)}, expected a text or a list of messages such as "
            '[{"role": "user", "content": "..."}]'
        )
    if not given:
        raise ParameterError(f"{name} is an empty list; expected at least one message")
    return tuple(_message(each, f"{name}[{number}]") for number, each in enumerate(given))


def _message(given: Any, where: str) -> Message:
    if isinstance(given, Message):
        return given
    if isinstance(given, str):
        raise ParameterError(
            f"{where} is a text, expected a message with role and content; several prompts are asked for "
            "one by one"
        )
    if not isinstance(given, Mapping):
        raise ParameterError(f"{where} is {_type(given)}, expected a message with role and content")
    if set(given) != {"role", "content"}:
        raise ParameterError(
            f"{where} has {', '.join(map(repr, given)) or 'nothing'}; expected role and content and no more"
        )
    try:
        return Message(given["role"], given["content"])
    except ParameterError as error:
        raise ParameterError(f"{where}: {error}") from error


def _type(given: Any) -> str:
    return "None" if given is None else type(given).__name__
