"""Tokens to text while they arrive, and where a stop cuts it.

The text of a candidate is what its tokenizer makes of all of its tokens behind the prompt. Decoding single
tokens gives another one: a token may hold a part of a character, the first of a text loses its space, and a
run of byte tokens is only a text once all of it is known. So each step decodes a short window: some tokens
whose text is known, and the new ones. What is kept apart is the text before the window. Where the window
cannot be shortened safely, as within a run of bytes, it is only shortened until that has ended. In the end
all tokens are decoded once, and that is the text.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from codesample.sampling.prefix_cache import common_start
from codesample.sampling.stopping import StopSearch
from codesample.sampling.token_decoder import TokenDecoder, TokenKind

__all__ = ["TextStream"]

# a character has at most four bytes, so of a longer tail only the last three may still become one
_OPEN_BYTES = 3
_REPLACEMENT = "\ufffd"
# where a decoder may look at more than the next token: tokens at which a window is shortened, and those
# that are kept; and how many more have to come until a text is taken for settled
_LONGEST, _KEPT, _LAG = 32, 8, 4


class _Window(NamedTuple):
    """Which tokens are decoded, and how their text is a part of the whole.

    Attributes:
        start: Index of the first one.
        base: Text of the candidate before the window's.
        lead: What the window's text begins with that is not the candidate's.
    """

    start: int
    base: str
    lead: str


class TextStream:
    """Text of one candidate, fed token by token, cut before the first stop.

    Args:
        decode: Of the tokenizer.
        prompt_ids: What the candidate stands behind.
        stops: See `StopSearch`.
    Attributes:
        text: What is decoded so far, without bytes that are no character yet; final once `finish` ran or
            `push` returned True.
        stop: The stop that cut the text, or None.
    """

    def __init__(self, decode: TokenDecoder, prompt_ids: Sequence[int], stops: Sequence[str]) -> None:
        self._decode = decode
        self._stops = StopSearch(stops, lambda: decode(prompt_ids))
        self._ids = decode.lead(prompt_ids)
        self._window = self._whole = _Window(0, "", decode(self._ids))
        if not decode.local:
            start = self._start_before(len(self._ids) - _KEPT)
            self._window = _Window(start, "", decode(self._ids[start:]))
        self._fresh = len(self._ids)
        # the window before the run of bytes that is open, if one is
        self._before_run: _Window | None = None
        self._longest = _LONGEST
        self._ends: list[int] = []
        self._settled = 0
        self._agreed: deque[int] = deque([0], _LAG)
        self.text = ""
        self.stop: str | None = None

    @property
    def settled(self) -> int:
        """How many characters of `text` will stay whatever comes; never less than before."""
        if self.stop is not None:
            return len(self.text)
        return self._stops.safe(self.text[: self._settled])

    def push(self, token: int) -> bool:
        """Take the next token; return whether a stop is now in the text."""
        self._ids.append(token)
        kind = self._decode.kind(token)
        if kind is TokenKind.BYTE:
            self._before_run = self._before_run or self._window
        elif kind is TokenKind.ENDS and self._before_run is not None:
            self._window, self._before_run = self._before_run, None
        seen, text = self._read(self._window)
        open_tail = _open_tail(seen)
        # bytes that are no characters yet make none of those before them
        text = self.text if open_tail and self._before_run else text[: len(text) - open_tail]
        self._ends.append(0)
        if self._cut(text, self._take(text), open_tail):
            return True
        if not open_tail and kind is not TokenKind.LEFT_OUT:
            self._shorten(seen)
        return False

    def finish(self) -> bool:
        """Take the tokens as complete: bytes that never became a character turn into U+FFFD.

        Returns whether a stop is now in the text.
        """
        if self.stop is None and self._ends:
            self._before_run = None
            text = self._read(self._whole)[1]
            self._cut(text, self._take(text), 0)
            self._settled = len(self.text)
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

    def _read(self, window: _Window) -> tuple[str, str]:
        """Return the text of a window, and with it that of the candidate."""
        seen = self._decode(self._ids[window.start :])
        skip = len(window.lead)
        if not seen.startswith(window.lead):
            # what follows has changed how the prompt ends
            skip = common_start(window.lead, seen)
        return seen, window.base + seen[skip:]

    def _take(self, text: str) -> int:
        """Let the text be this one, up to the last token; return where it begins to differ."""
        before, self.text = self.text, text
        same = len(before)
        if not text.startswith(before):
            same = common_start(before, text)
            # tokens gave no more than what is left of it
            for i in reversed(range(len(self._ends) - 1)):
                if self._ends[i] <= same:
                    break
                self._ends[i] = same
        self._ends[-1] = len(text)
        if self._before_run is None:
            self._settle(text, same, before)
        return same

    def _settle(self, text: str, same: int, before: str) -> None:
        if self._decode.local:
            self._settled = len(text)
        elif text != before:
            self._agreed.append(same)
            if len(self._agreed) == _LAG:
                self._settled = max(self._settled, min(self._agreed))

    def _cut(self, text: str, changed: int, open_tail: int) -> bool:
        """Cut the text at its first stop, if it has one."""
        found = self._stops.find(text, changed)
        if found is not None and self._window.start:
            exact = self._read(self._whole)[1]
            exact = exact[: len(exact) - open_tail]
            if exact != text:
                # no window of this decoder's can be relied on
                self._window, self._longest = self._whole, sys.maxsize
                found = self._stops.find(exact, min(self._take(exact), changed))
                text = exact
        if found is None:
            return False
        self.text, self.stop = text[: found.at], found.stop
        return True

    def _shorten(self, seen: str) -> None:
        """Leave tokens out of the window, where the rest decodes to the end of what the whole did."""
        if self._decode.local and self._longest == _LONGEST:
            start, self._fresh = self._fresh, len(self._ids)
        elif self._before_run is None and len(self._ids) - self._window.start >= self._longest:
            start = self._start_before(len(self._ids) - _KEPT)
        else:
            return
        rest = self._decode(self._ids[start:])
        if rest and seen.endswith(rest) and start > self._window.start:
            base = len(self.text) - len(rest)
            self._window = _Window(start, self.text[: max(0, base)], rest[: max(0, -base)])
            self._longest = _LONGEST
        elif not self._decode.local:
            self._longest *= 2

    def _start_before(self, index: int) -> int:
        """Return where tokens with a text begin, within no run of bytes."""
        start = max(0, index)
        while start and (
            self._decode.kind(self._ids[start - 1]) is not TokenKind.ENDS
            or not self._decode(self._ids[start:])
        ):
            start -= 1
        return start


def _open_tail(text: str) -> int:
    """Return how many characters at the end may be bytes of one that is not whole yet."""
    if not text.endswith(_REPLACEMENT):
        return 0
    return min(len(text) - len(text.rstrip(_REPLACEMENT)), _OPEN_BYTES)
