"""Data as they stand in a page: plain JSON, compressed, as text that no HTML parser can misread.

The letters of base 64 end no element and begin no comment, so hostile text cannot leave its place. Surrogates
without a partner are JSON escapes, which a browser reads back as they are.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

__all__ = ["LONGEST_TEXT", "packed", "shortened", "utf16_lengths"]

LONGEST_TEXT = 60_000
"""Characters of one text that a page holds; of a longer one, begin and end."""

_TAIL = 10_000


def packed(value: Any) -> str:
    """Return plain JSON data as gzip in base 64; equal data give equal text."""
    spelt = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(spelt.encode("ascii"), compresslevel=6, mtime=0)).decode("ascii")


def shortened(text: str, most: int = LONGEST_TEXT) -> str:
    """Return a text as it is, or its begin and end with a line that says how much was left out."""
    if len(text) <= most:
        return text
    tail = min(_TAIL, most // 4)
    left_out = len(text) - most
    return f"{text[: most - tail]}\n[... {left_out:,} characters left out of this page ...]\n{text[-tail:]}"


def utf16_lengths(text: str, ends: Sequence[int]) -> tuple[int, ...]:
    """Return how long each piece of a text is where a browser counts, in 16-bit units.

    Args:
        text: The whole.
        ends: Where each piece ends, in characters; never less than the one before.
    """
    pieces = zip((0, *ends), ends, strict=False)
    if text.isascii() or max(text) <= "\uffff":
        return tuple([end - begin for begin, end in pieces])
    return tuple(end - begin + sum(char > "\uffff" for char in text[begin:end]) for begin, end in pieces)
