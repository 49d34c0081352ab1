"""What a chat template could do to turns that nobody asked for yet, found by rendering a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from codesample.sampling.chat import takes_messages

__all__ = ["TemplateFacts", "template_facts"]

_SYSTEM, _USER, _ANSWER = "Qj7system", "Qj7user", "Qj7answer"
_THINKING = ("<think>", "<thinking>", "<reasoning>", "◁think▷")


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """How a template takes what it could be given.

    Attributes:
        system: What becomes of a system turn: "taken", "refused" or "dropped".
        prefill: What becomes of the beginning of an answer: "taken" or "refused".
        strips: Whether it takes white space off the ends of a user's turn.
        thinks: Whether answers begin with thinking, or can.
    """

    system: str
    prefill: str
    strips: bool
    thinks: bool


def template_facts(tokenizer: Any) -> TemplateFacts | None:
    """Look at a tokenizer's template; None where it has none or refuses even one user turn."""
    if not takes_messages(tokenizer):
        return None
    padded = f"\n {_USER} \n"
    asked = _rendered(tokenizer, [("user", padded)])
    if asked is None:
        return None
    begun = _rendered(tokenizer, [("user", _USER), ("assistant", _ANSWER)])
    source = str(tokenizer.get_chat_template())
    return TemplateFacts(
        system=_system(tokenizer),
        prefill="refused" if begun is None else "taken",
        strips=padded not in asked,
        thinks=any(mark in asked or mark in source for mark in _THINKING),
    )


def _rendered(tokenizer: Any, turns: Sequence[tuple[str, str]]) -> str | None:
    """Return the text of some turns, an answer left open; None where the template refuses them."""
    begun = turns[-1][0] == "assistant"
    try:
        text = tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            add_generation_prompt=not begun,
            continue_final_message=begun,
            tokenize=False,
        )
    except Exception:
        return None
    return str(text)


def _system(tokenizer: Any) -> str:
    text = _rendered(tokenizer, [("system", _SYSTEM), ("user", _USER)])
    if text is None:
        return "refused"
    return "taken" if _SYSTEM in text else "dropped"
