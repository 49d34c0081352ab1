"""What a text shows that keeps the program made of it from being Python, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from codesample.records import Candidate, FinishReason

__all__ = ["CAUSES", "Cause", "Remedy"]

_MARK = re.compile(r"<\|[a-z_]+\|>|</s>|<｜[^｜]+｜>|<end_of_turn>|<eos>")
_THOUGHT = re.compile(r"<(?:think|thinking|reasoning)>|◁think▷")
_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)


class Remedy(NamedTuple):
    """What to do about a cause, by the form of the prompts, and where samples came from elsewhere."""

    base: str
    chat: str
    recorded: str


class Cause(NamedTuple):
    """What a text shows that keeps a program from being Python, in words and with a remedy."""

    holds: Callable[[Candidate], bool]
    words: str
    remedy: Remedy


_READ = "read programs out of the answers: --extract"
_LONGER = "raise --max-new-tokens"
_LIMIT = Remedy(_LONGER, _LONGER, "sample them anew with a higher limit")
_ANSWER = Remedy(
    "put problems as messages: --prompt chat",
    "look at one in samples.jsonl: its rule and spans say what was taken",
    _READ,
)
_END = Remedy("name the mark with --stop", "name the mark with --stop", _READ)


def _thinks(each: Candidate) -> bool:
    return bool(_THOUGHT.search(each.completion))


def _is_cut(each: Candidate) -> bool:
    return each.finish_reason is FinishReason.LENGTH


CAUSES = (
    Cause(
        lambda each: _thinks(each) and _is_cut(each),
        "end at the limit of tokens while the model still thinks",
        _LIMIT,
    ),
    Cause(_is_cut, "end at the limit of tokens", _LIMIT),
    Cause(_thinks, "hold thinking", _ANSWER),
    Cause(lambda each: bool(_FENCE.search(each.completion)), "hold Markdown fences", _ANSWER),
    Cause(lambda each: bool(_MARK.search(each.completion)), "hold marks that end a text or a turn", _END),
)
"""A text shows the first of these that holds."""
