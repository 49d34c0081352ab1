"""Tokens to text while they arrive, and where a stop string cuts it.

Decoding single tokens is wrong twice: a byte-level token may hold part of a character, and
SentencePiece drops the space before the first token it is given. So each step decodes a short window
that starts before the new token, and emits what the window gained, once it ends on a whole character.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["TextStream", "decoder_of"]

Decoder = Callable[[list[int]], str]

# tokens of the prompt that the first window starts with: enough to hold the start of a character
_LEAD = 6
# tokens that may wait for the rest of a character, which has at most four bytes
_PATIENCE = 4
_REPLACEMENT = "\ufffd"


def decoder_of(tokenizer: Any) -> Decoder:
    """Return ids -> text without special tokens and without any clean-up of spaces."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return lambda ids: backend.decode(ids, skip_special_tokens=True)
    return lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


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
        self._window = list(prompt_ids[-_LEAD:])
        self._emitted = decode(self._window) if self._window else ""
        self._read = len(self._window)
        self._ends: list[int] = []
        self.text = ""
        self.stop: str | None = None

    def push(self, token: int) -> bool:
        """Take the next token; return whether a stop string is now in the text."""
        self._window.append(token)
        seen = self._decode(self._window)
        if seen.endswith(_REPLACEMENT) and len(self._window) - self._read <= _PATIENCE:
            self._ends.append(len(self.text))
            return False
        return self._emit(seen)

    def finish(self) -> bool:
        """Take the tokens as complete: bytes that never became a character turn into U+FFFD.

        Returns whether a stop string is now in the text.
        """
        if self.stop is None and len(self._window) > self._read and self._ends:
            self._ends.pop()
            self._emit(self._decode(self._window))
        return self.stop is not None

    def kept_tokens(self) -> int:
        """How many leading tokens it takes to produce `text`; the last may reach beyond it."""
        length = len(self.text)
        if not length:
            return 0
        return next((i + 1 for i, end in enumerate(self._ends) if end >= length), len(self._ends))

    def _emit(self, seen: str) -> bool:
        gained = seen[len(self._emitted) :]
        before = len(self.text)
        self.text += gained
        self._ends.append(len(self.text))
        # the next window starts where this step's tokens began, so it always holds a whole character
        self._window = self._window[self._read :]
        self._emitted = self._decode(self._window)
        self._read = len(self._window)
        return bool(gained) and self._cut(max(0, before - self._longest + 1))

    def _cut(self, start: int) -> bool:
        found = [(at, s) for s in self._stops if (at := self.text.find(s, start)) >= 0]
        if not found:
            return False
        at, self.stop = min(found, key=lambda f: (f[0], -len(f[1])))
        self.text = self.text[:at]
        return True
