"""Messages to tokens, through the chat template that a tokenizer brings, and what ends an answer there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codesample.errors import ParameterError, UnreadableTextError
from codesample.records import Message

__all__ = ["chat_ends", "chat_ids", "chat_notices", "rendered", "takes_messages"]

_ASSISTANT = "assistant"
_SYSTEM = frozenset({"system", "developer"})
# a word that no template writes, changes or cuts
_WORD = "zqxcontentxqz"
_LONGEST_REASON = 200


def takes_messages(tokenizer: Any) -> bool:
    """Whether a tokenizer has a chat template that applies where none of several is named."""
    template = getattr(tokenizer, "chat_template", None)
    return bool(template.get("default") if isinstance(template, dict) else template)


def chat_ids(tokenizer: Any, messages: Sequence[Message], *, name: str) -> tuple[int, ...]:
    """Return the tokens of `apply_chat_template`, its settings left as they are by default.

    A last message of the assistant's is the beginning of the answer and left open; otherwise the answer is
    begun as the template begins it.

    Args:
        name: Of the model, for messages.

    Raises:
        ParameterError: the tokenizer has no template, or the template refuses the messages; says which of
            them, as far as leaving one out helps.
    """
    _expect_template(tokenizer, name)
    try:
        ids = _applied(tokenizer, messages, tokenize=True)
    except Exception as error:
        unreadable = any(_has_surrogates(each.content) for each in messages)
        kind = UnreadableTextError if unreadable else ParameterError
        raise kind(f"{name}: {_refusal(tokenizer, messages, error)}") from error
    if not ids:
        raise ParameterError(f"{name}: its chat template makes no token of these messages")
    return tuple(ids)


def rendered(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Return the text that the chat template makes of messages that it takes, with their answer open."""
    return str(_applied(tokenizer, messages, tokenize=False))


def chat_notices(tokenizer: Any, messages: Sequence[Message]) -> tuple[str, ...]:
    """Say what a template that takes the messages does to them, where that is not what one would expect."""
    text = str(_applied(tokenizer, messages, tokenize=False))
    found = []
    for each in messages:
        if each.role in _SYSTEM and each.content.strip() not in text:
            found.append(
                f"the chat template leaves the {each.role} turn out; put its text into the user's turn"
            )
        elif each.role in _SYSTEM and _count(text, each) > sum(_count(one.content, each) for one in messages):
            found.append(f"the chat template writes the {each.role} turn {_count(text, each)} times")
    if _is_open(messages):
        beginning = messages[-1].content
        if beginning.rstrip() != beginning and not text.endswith(beginning):
            found.append(
                "the chat template strips the white space at the end of the answer's beginning, "
                f"{beginning!r}; the model sees it as {beginning.rstrip()!r}"
            )
    bos = getattr(tokenizer, "bos_token", None)
    if bos and text.startswith(bos * 2):
        found.append(f"the prompt begins with {bos!r} twice: the chat template writes it, and a message too")
    if "strftime_now" in tokenizer.get_chat_template():
        found.append("the chat template can write today's date, and prompts then change from day to day")
    return tuple(found)


def chat_ends(tokenizer: Any) -> frozenset[int]:
    """Return the tokens that the template writes right behind what an assistant said.

    Read off two conversations that it renders, one that ends there and one in which the user goes on. Empty
    where it marks the end by no token of its own.
    """
    if not takes_messages(tokenizer):
        return frozenset()
    asked, answered = Message("user", "a"), Message(_ASSISTANT, _WORD)
    found = set()
    for messages in ((asked, answered), (asked, answered, Message("user", "b"))):
        try:
            text = str(_applied(tokenizer, messages, tokenize=False, closed=True))
        except Exception:
            # a template may refuse any conversation; what it refuses ends nothing
            continue
        _, there, behind = text.rpartition(_WORD)
        token = _first_token(tokenizer, behind.lstrip()) if there else None
        if token is not None:
            found.add(token)
    return frozenset(found)


def _count(text: str, message: Message) -> int:
    said = message.content.strip()
    return text.count(said) if said else 0


def _first_token(tokenizer: Any, text: str) -> int | None:
    """Return the longest added token that a text begins with."""
    known = getattr(tokenizer, "added_tokens_decoder", {}).items()
    begins = [(len(each.content), i) for i, each in known if each.content and text.startswith(each.content)]
    return max(begins)[1] if begins else None


def _is_open(messages: Sequence[Message]) -> bool:
    return messages[-1].role == _ASSISTANT


def _applied(tokenizer: Any, messages: Sequence[Message], *, tokenize: bool, closed: bool = False) -> Any:
    goes_on = _is_open(messages)
    return tokenizer.apply_chat_template(
        [{"role": each.role, "content": each.content} for each in messages],
        add_generation_prompt=not closed and not goes_on,
        continue_final_message=not closed and goes_on,
        tokenize=tokenize,
        return_dict=False,
    )


def _expect_template(tokenizer: Any, name: str) -> None:
    if takes_messages(tokenizer):
        return
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict) and template:
        raise ParameterError(
            f"{name} has the chat templates {', '.join(map(repr, sorted(template)))} and none that is the "
            "default; give it a loaded tokenizer whose chat_template is the one meant"
        )
    raise ParameterError(f"{name} has no chat template; give a text, or choose an instruct model")


def _refusal(tokenizer: Any, messages: Sequence[Message], error: Exception) -> str:
    """Say what of the messages a template refuses, found by leaving parts of them out."""
    for number, each in enumerate(messages):
        if _has_surrogates(each.content):
            return f"prompt[{number}] holds lone surrogates, which no tokenizer takes; remove them"
    begun, unbegun = messages[-1].content, messages[:-1] if _is_open(messages) else messages
    reason = error
    for fewer, fault, remedy in (
        (
            _without_system(messages),
            "takes no system turn",
            "leave it out (--system), or put its text into the user's turn",
        ),
        (
            unbegun,
            f"cannot go on with the beginning of an answer, {begun!r}",
            "leave the assistant's last message out (--prefill)",
        ),
        (
            _without_system(unbegun),
            "takes neither a system turn nor the beginning of an answer",
            "leave both out (--system, --prefill)",
        ),
    ):
        if not 0 < len(fewer) < len(messages):
            continue
        try:
            _applied(tokenizer, fewer, tokenize=True)
        except Exception as plainer:
            reason = plainer
        else:
            return f"its chat template {fault} ({_first_line(error)}); {remedy}"
    roles = ", ".join(each.role for each in messages)
    return f"its chat template refuses these messages ({roles}): {_first_line(reason)}"


def _without_system(messages: Sequence[Message]) -> list[Message]:
    return [each for each in messages if each.role not in _SYSTEM]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_LONGEST_REASON]


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)
