"""Where a text is to end: the first of its stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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
    """Looks for stop strings in one text while it grows.

    Args:
        stops: None of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._longest = max((len(stop) for stop in self._stops), default=0)

    def find(self, text: str, changed: int) -> Found | None:
        """Return the first stop in a text, the longer of two at one place.

        Args:
            text: All there is.
            changed: Where it begins to differ from the text of the last call, in which there was no stop.
        """
        start = max(0, changed - self._longest + 1)
        found = [Found(at, stop) for stop in self._stops if (at := text.find(stop, start)) >= 0]
        return min(found, key=lambda each: (each.at, -len(each.stop)), default=None)

    def safe(self, text: str) -> int:
        """Return how much of a text without a stop no stop can take, whatever comes."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)


def special_stops(tokenizer: Any, stops: Sequence[str]) -> dict[int, str]:
    """Return by id the stop strings that are one special token each: decoders leave those out of the text."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).items()
    return {i: token.content for i, token in tokens if token.special and token.content in stops}
