"""What a model is given: a text to continue, or messages to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codesample.errors import ParameterError, WrongTypeError
from codesample.records.refusal import Refused
from codesample.records.short import one_line
from codesample.records.taking import takes_by
from codesample.records.validation import validated

__all__ = ["Message", "Prompt", "PromptLike", "prompt_from"]


@validated
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

    __repr__ = one_line

    def __post_init__(self) -> None:
        if not self.role:
            raise ParameterError("role = '': expected system, user or assistant")


Prompt = str | tuple[Message, ...]
"""A text to continue, or messages to answer; a last one of the assistant's is an answer to go on with."""

PromptLike = str | Sequence[Message | Mapping[str, str]]
"""What `prompt_from` makes a prompt of: a text, or messages, each a `Message` or its fields by name."""


def prompt_from(given: Any, *, name: str = "prompt") -> Prompt:
    """Return a prompt from a text, or from messages: `Message`s, or mappings with `role` and `content`.

    Args:
        name: What it is called in messages of errors.

    Raises:
        WrongTypeError: it is neither, no message at all, or a message with other keys; says what was got.
    """
    try:
        return _taken(given) if name == "prompt" else _prompt(given)
    except Refused as error:
        raise WrongTypeError(error.told(name)) from error


def _taken(given: Any) -> Prompt:
    """Take one prompt of a caller's, who may have meant several."""
    if isinstance(given, list | tuple) and given and all(isinstance(each, str) for each in given):
        raise Refused(given, "one prompt (text or messages); for several call stream([...])")
    return _prompt(given)


def _prompt(given: Any) -> Prompt:
    if isinstance(given, str):
        return given
    words = 'a text or a list of messages such as [{"role": "user", "content": "..."}]'
    if isinstance(given, Message | Mapping):
        raise Refused(given, words, note=" (one message given; put it into a list)")
    if not isinstance(given, Sequence) or isinstance(given, bytes | bytearray):
        raise Refused(given, words)
    if not given:
        raise Refused(given, "at least one message")
    if type(given) is tuple and all(type(each) is Message for each in given):
        return given
    return tuple(_message(each, f"[{number}]") for number, each in enumerate(given))


def _message(given: Any, place: str) -> Message:
    if isinstance(given, Message):
        return given
    if not isinstance(given, Mapping) or set(given) != {"role", "content"}:
        raise Refused(given, "a message with role and content and no more", place=place)
    for key, value in given.items():
        if not isinstance(value, str):
            raise Refused(value, "a text", place=f"{place}[{key!r}]")
    if not given["role"]:
        raise Refused("", "system, user or assistant", place=f"{place}['role']")
    return Message(given["role"], given["content"])


takes_by(PromptLike, _taken, quick=(str,))
takes_by(Prompt, _taken, quick=(str,))
