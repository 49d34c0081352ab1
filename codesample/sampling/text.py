"""Tokens to text while they arrive, and where a stop string cuts it.

Decoding single tokens is wrong twice: a byte-level token may hold part of a character, and
SentencePiece drops the space before the first token it is given. So each step decodes a short window
that starts before the new token, and emits what the window gained, but for a character not yet whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["TextStream", "decoder_of", "special_stops"]

Decoder = Callable[[list[int]], str]

_REMEMBERED = 2**16

# tokens of the prompt in the first window: enough to hold a whole character
_LEAD = 6
_OPEN_BYTES = 3
_REPLACEMENT = "\ufffd"


def decoder_of(tokenizer: Any) -> Decoder:
    """Return ids -> text without special tokens and without any clean-up of spaces.

    It remembers: candidates of a prompt share most of their windows.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)

    @lru_cache(_REMEMBERED)
    def decode(ids: tuple[int, ...]) -> str:
        if backend is not None:
            return str(backend.decode(ids, skip_special_tokens=True))
        return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    return lambda ids: decode(tuple(ids))


def special_stops(tokenizer: Any, stops: Collection[str]) -> dict[int, str]:
    """Return by id the stop strings that are one special token each: decoders leave those out of the text."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).items()
    return {i: token.content for i, token in tokens if token.special and token.content in stops}


class TextStream:
    """Text of one candidate, fed token by token, cut before the first stop string.

    Attributes:
        text: What is decoded so far; final once `finish` ran or `push` returned True.
        stop: The stop string that cut the text, or None.
    """

    def __init__(self, decode: Decoder, prompt_ids: Sequence[int], stops: Sequence[str]) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._longest = max((len(s) for s in self._stops), default=0)
        self._window, self._emitted = _lead(decode, prompt_ids)
        self._read = len(self._window)
        self._ends: list[int] = []
        self.text = ""
        self.stop: str | None = None

    def push(self, token: int) -> bool:
        """Take the next token; return whether a stop string is now in the text."""
        self._window.append(token)
        seen = self._decode(self._window)
        # a character has at most four bytes, so of a longer tail only the last three may still become one
        open_tail = min(len(seen) - len(seen.rstrip(_REPLACEMENT)), _OPEN_BYTES)
        found = self._emit(seen[: len(seen) - open_tail])
        if not open_tail:
            self._advance(seen)
        return found

    def finish(self) -> bool:
        """Take the tokens as complete: bytes that never became a character turn into U+FFFD.

        Returns whether a stop string is now in the text.
        """
        if self.stop is None and self._ends:
            self._ends.pop()
            self._emit(self._decode(self._window))
        return self.stop is not None

    def ends(self, count: int) -> tuple[int, ...]:
        """Return how much of `text` there is up to each of the first `count` tokens and with it."""
        length = len(self.text)
        return tuple(min(end, length) for end in self._ends[:count])

    def kept_tokens(self) -> int:
        """How many leading tokens it takes to produce `text`; the last may reach beyond it."""
        length = len(self.text)
        if not length:
            return 0
        return next((i + 1 for i, end in enumerate(self._ends) if end >= length), len(self._ends))

    def _emit(self, seen: str) -> bool:
        before = len(self.text)
        self.text += seen[len(self._emitted) :]
        self._emitted = max(self._emitted, seen, key=len)
        self._ends.append(len(self.text))
        return len(self.text) > before and self._cut(max(0, before - self._longest + 1))

    def _advance(self, seen: str) -> None:
        """Start the next window behind the last whole character but one step.

        Unless that step left no text: then what follows would be decoded as the start of a text, where
        some tokenizers drop a space.
        """
        fresh = self._window[self._read :]
        text = self._decode(fresh)
        self._window, self._emitted = (fresh, text) if text else (self._window, seen)
        self._read = len(self._window)

    def _cut(self, start: int) -> bool:
        found = [(at, s) for s in self._stops if (at := self.text.find(s, start)) >= 0]
        if not found:
            return False
        at, self.stop = min(found, key=lambda f: (f[0], -len(f[1])))
        self.text = self.text[:at]
        return True


def _lead(decode: Decoder, prompt_ids: Sequence[int]) -> tuple[list[int], str]:
    """Return the prompt's last tokens and their text: as few as leave some text, if any do."""
    count = _LEAD
    while True:
        window = list(prompt_ids[-count:])
        text = decode(window)
        if text or count >= len(prompt_ids):
            return window, text
        count *= 2
