"""What a model thought before it answered: found in all known spellings, so that it is never read as code."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Spoken", "quoted", "spoken_parts"]

_NAMES = (
    "think|thinking|thought|thoughts|reasoning|reason|reflection|scratchpad|analysis|seed:think|antthinking"
)
_TAG = re.compile(
    rf"<(?P<a>/?)(?i:{_NAMES})(?:[ \t][^<>\n]{{0,80}})?>"
    r"|\[(?P<b>/?)(?:THINK|THOUGHT|THINKING)\]"
    r"|◁(?P<c>/?)think▷"
    r"|<\|(?P<d>end_|END_)?(?:begin_of_thought|of_thought|START_THINKING|THINKING)\|>"
    r"|<unused9(?:4>(?:thought)?|(?P<e>5)>)"
)
_CHANNEL = re.compile(r"<\|channel\|>[ \t]*(\w+)[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,80})?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
# the same with its special tokens taken away
_BARE_CHANNEL, _BARE_FINAL = re.compile(r"\s*analysis(?=[^\s\w]|[A-Z0-9])"), "assistantfinal"

_QUOTES = frozenset("\"'`\\")


class Spoken(NamedTuple):
    """What of an answer is no thinking.

    Attributes:
        parts: (begin, end) of each, ascending.
        unfinished: Whether the answer ends within its thinking.
    """

    parts: list[tuple[int, int]]
    unfinished: bool


def quoted(text: str, begin: int, end: int, *, opens: bool = False) -> bool:
    """Tell whether text[begin:end] is named in quotes, as in code or prose about it; a fence is no quote.

    Args:
        text: The whole text.
        begin, end: The tag or token in it.
        opens: Whether something is to follow it. What ends a line may stand behind a string of the program.
    """
    before, behind = text[max(0, begin - 3) : begin], text[end : end + 3]
    if behind[:1] in _QUOTES and behind != "```":
        return True
    ends = not opens and (not behind or behind[0] in "\r\n<")
    return before[-1:] in _QUOTES and before != "```" and not ends


def spoken_parts(text: str) -> Spoken:
    """Return the parts of an answer that are no thinking; tags in quotes are none."""
    channels = list(_CHANNEL.finditer(text))
    if channels and not quoted(text, *channels[0].span()):
        return _final_channels(text, channels)
    if bare := _BARE_CHANNEL.match(text):
        begin = text.rfind(_BARE_FINAL)
        if begin >= 0:
            return Spoken([(begin + len(_BARE_FINAL), len(text))], False)
        if text[bare.end()].isupper():
            return Spoken([], True)
    return _outside_tags(text)


def _final_channels(text: str, channels: list[re.Match[str]]) -> Spoken:
    parts = []
    for channel in channels:
        if channel[1] == "final":
            end = _CHANNEL_END.search(text, channel.end())
            parts.append((channel.end(), end.start() if end else len(text)))
    return Spoken(parts, not parts)


def _outside_tags(text: str) -> Spoken:
    removed: list[tuple[int, int]] = []
    begin, depth, last_end = 0, 0, -1
    for tag in _TAG.finditer(text):
        opens = not (tag["a"] or tag["b"] or tag["c"] or tag["d"] or tag["e"])
        if quoted(text, *tag.span(), opens=opens):
            continue
        if opens:
            if depth == 0:
                begin, last_end = tag.start(), -1
            depth += 1
        elif depth == 0:
            # the template opened it: all before is thinking
            removed = [(0, tag.end())]
        else:
            depth, last_end = depth - 1, tag.end()
            if depth == 0:
                removed.append((begin, last_end))
    if depth and last_end >= 0:
        removed.append((begin, last_end))
    elif depth and not _between(text, removed, begin).strip():
        return Spoken([], True)
    parts = _rest(removed, len(text))
    return Spoken(parts, bool(removed) and not any(text[a:b].strip() for a, b in parts))


def _between(text: str, removed: list[tuple[int, int]], end: int) -> str:
    return "".join(text[a:b] for a, b in _rest(removed, end))


def _rest(removed: list[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """Return what of (0, end) is left."""
    edges = [0, *(edge for span in removed for edge in span), end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
