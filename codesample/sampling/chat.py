"""Messages to tokens, through the chat template that a tokenizer brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codesample.errors import ParameterError
from codesample.records import Message

__all__ = ["chat_ids"]


def chat_ids(tokenizer: Any, messages: Sequence[Message], *, name: str) -> tuple[int, ...]:
    """Return the tokens of `apply_chat_template`; a last message of the assistant's is left open.

    Raises:
        ParameterError: the tokenizer has no template, or the template refuses the messages.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ParameterError(f"{name} has no chat template; give a text, or choose an instruct model")
    goes_on = messages[-1].role == "assistant"
    try:
        ids = tokenizer.apply_chat_template(
            [{"role": each.role, "content": each.content} for each in messages],
            add_generation_prompt=not goes_on,
            continue_final_message=goes_on,
            tokenize=True,
            return_dict=False,
        )
    except Exception as error:
        raise ParameterError(f"{name}: its chat template refuses these messages: {error}") from error
    return tuple(ids)
