"""A block: some lines of an answer that may be code, and what the answer says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from codesample.extraction.lines import Line

__all__ = ["Block", "Language", "language_of"]

Language = Literal["python", "session", "unsaid", "other"]
"""What a block is said to hold; "session" has interpreter prompts."""

_PYTHON = re.compile(r"(?i)(?<![a-z])(?:i?py(?:thon)?[\d.]*|sage|cython)(?![a-z])|\.py\b")
_SESSION = re.compile(r"(?i)(?<![a-z])(?:pycon|python-?(?:repl|console)|pyconsole)(?![a-z])")
_UNSAID = frozenset({"", "code", "tool_code", "solution", "answer", "program", "script"})


class Block(NamedTuple):
    """Some lines of an answer.

    Attributes:
        lines: Without fences, and without the indentation of the fence.
        place: Where they were found, as the rule names it.
        language: What they are said to be.
        prose: What stands between the block before and this one.
    """

    lines: Sequence[Line]
    place: str
    language: Language = "unsaid"
    prose: str = ""

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return all(line.blank for line in self.lines)


def language_of(info: str) -> Language:
    """Return the language that the words behind an opening fence name, in any of the usual spellings."""
    if _SESSION.search(info):
        return "session"
    if _PYTHON.search(info):
        return "python"
    return "unsaid" if info.strip(" \t{}.").lower() in _UNSAID else "other"
