"""Lines that know where in the answer they stand, and the way back from lines to a text and its spans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Line", "compose", "indentation", "source_of", "split_lines", "without_indentation"]

# what Python takes for the end of a line, and nothing else: no form feed, no U+2028
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


class Line(NamedTuple):
    """One line of a program to be.

    Attributes:
        text: Its characters, without the line's end.
        begin: Where `text` begins in the answer; None for a line that the answer does not hold.
        end: The line's end as the answer has it; "" where it has none.
        indent: Put before `text`; not of the answer.
    """

    text: str
    begin: int | None
    end: str = "\n"
    indent: str = ""

    @property
    def code(self) -> str:
        """The line as the program has it, without its end."""
        return self.indent + self.text

    @property
    def blank(self) -> bool:
        """Whether it holds nothing but blanks."""
        return not self.text.strip()

    def behind(self, count: int) -> Line:
        """Return it without its first `count` characters."""
        return Line(self.text[count:], None if self.begin is None else self.begin + count, self.end)

    def until(self, count: int) -> Line:
        """Return its first `count` characters, as a line without an end."""
        return Line(self.text[:count], self.begin, "", self.indent)


def split_lines(text: str, begin: int | None = 0) -> list[Line]:
    """Return the lines of `text`, whose first character stands at `begin` of the answer; None: not there."""
    return [
        Line(found[1], None if begin is None else begin + found.start(), found[2])
        for found in _LINE.finditer(text)
        if found[0]
    ]


def source_of(lines: Iterable[Line]) -> str:
    """Return the lines' text to be parsed: line n of it is line n of these."""
    return "\n".join(line.code for line in lines)


def compose(lines: Sequence[Line]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return the text that the lines make, and the spans of the answer that it was made of."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        parts.append(line.code + (line.end or ("" if last else "\n")))
        if line.begin is None:
            continue
        begin, end = line.begin, line.begin + len(line.text) + len(line.end)
        if spans and spans[-1][1] == begin:
            spans[-1] = (spans[-1][0], end)
        elif begin < end:
            spans.append((begin, end))
    return "".join(parts), tuple(spans)


def indentation(text: str) -> str:
    """Return the blanks that `text` begins with."""
    return text[: len(text) - len(text.lstrip(" \t\f"))]


def without_indentation(line: Line, width: int) -> Line:
    """Return the line without its first `width` blanks, or without as many as it has."""
    return line.behind(min(width, len(indentation(line.text))))
