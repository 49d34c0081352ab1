"""What a chat template does to turns, found by rendering a few that are easy to find again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["TemplateFacts", "template_facts"]

_SYSTEM, _USER, _ANSWER = "Qj7system", "Qj7user", "Qj7answer"
_THINKING = ("<think>", "<thinking>", "<reasoning>", "◁think▷")
_DATES = ("strftime_now", "datetime", "date_string")


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """How a template takes what it is given.

    Attributes:
        system: What becomes of a system turn: "taken", "refused", "dropped" or "repeated".
        prefill: What becomes of the beginning of an answer: "taken", "refused" or "changed".
        strips: Whether it takes white space off the ends of a user's turn.
        thinks: Whether answers begin with thinking, or can.
        dated: Whether it writes the date, so that prompts change from day to day.
    """

    system: str
    prefill: str
    strips: bool
    thinks: bool
    dated: bool


def template_facts(tokenizer: Any) -> TemplateFacts | None:
    """Look at a tokenizer's template; None where it has none or refuses even one turn of a user's."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return None
    padded = f"\n {_USER} \n"
    asked = _rendered(tokenizer, [("user", padded)])
    if asked is None:
        return None
    source = str(template)
    return TemplateFacts(
        system=_system(tokenizer),
        prefill=_prefill(tokenizer),
        strips=padded not in asked,
        thinks=any(mark in asked or mark in source for mark in _THINKING),
        dated=any(word in source for word in _DATES),
    )


def _rendered(tokenizer: Any, turns: Sequence[tuple[str, str]], *, goes_on: bool = False) -> str | None:
    """Return the text of some turns; None where the template refuses them."""
    try:
        text = tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            add_generation_prompt=turns[-1][0] != "assistant",
            continue_final_message=goes_on,
            tokenize=False,
        )
    except Exception:
        return None
    return str(text)


def _system(tokenizer: Any) -> str:
    text = _rendered(tokenizer, [("system", _SYSTEM), ("user", _USER)])
    if text is None:
        return "refused"
    return {0: "dropped", 1: "taken"}.get(text.count(_SYSTEM), "repeated")


def _prefill(tokenizer: Any) -> str:
    begun = f"{_ANSWER}\n"
    text = _rendered(tokenizer, [("user", _USER), ("assistant", begun)], goes_on=True)
    if text is None:
        return "refused"
    return "taken" if text.endswith(begun) else "changed"
