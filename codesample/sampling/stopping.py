"""Where a text is to end: the first of its stops, strings or words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from codesample.stops import PYTHON_FUNCTION, FunctionEnd, words_in

__all__ = ["Found", "StopSearch", "special_stops"]


class Found(NamedTuple):
    """A stop in a text.

    Attributes:
        at: Where the text is to end.
        stop: Which stop it is.
    """

    at: int
    stop: str


class StopSearch:
    """Looks for stops in one text while it grows.

    Args:
        stops: Strings, none of them empty, and words of `codesample.stops`.
        prompt: Makes the text that this one continues; called where a word needs it.
    """

    def __init__(self, stops: Sequence[str], prompt: Callable[[], str] = str) -> None:
        words = words_in(stops)
        self._stops = tuple(stop for stop in stops if stop not in words)
        self._longest = max((len(stop) for stop in self._stops), default=0)
        # of several at one place the first that is named here
        named = sorted(self._stops, key=len, reverse=True)
        self._any = re.compile("|".join(map(re.escape, named))) if named else None
        self._function = FunctionEnd(prompt()) if PYTHON_FUNCTION in words else None

    def find(self, text: str, changed: int) -> Found | None:
        """Return the first stop in a text, the longer of two at one place.

        Args:
            text: All there is.
            changed: Where it begins to differ from the text of the last call, in which there was no stop.
        """
        start = max(0, changed - self._longest + 1)
        match = self._any.search(text, start) if self._any is not None else None
        found = None if match is None else Found(match.start(), match.group())
        if self._function is not None and (end := self._function.find(text, changed)) is not None:
            word = Found(end, PYTHON_FUNCTION)
            return word if found is None else min(found, word, key=lambda each: (each.at, -len(each.stop)))
        return found

    def safe(self, text: str) -> int:
        """Return how much of a text without a stop no stop can take, whatever comes."""
        safe = len(text) if self._function is None else self._function.safe(text)
        for at in range(max(0, len(text) - self._longest + 1), safe):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return safe


def special_stops(tokenizer: Any, stops: Sequence[str]) -> dict[int, str]:
    """Return by id the stop strings that are one special token each: decoders leave those out of the text."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).items()
    return {i: token.content for i, token in tokens if token.special and token.content in stops}
