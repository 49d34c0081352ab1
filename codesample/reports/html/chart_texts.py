"""Texts of charts in lines, since Vega cuts off what a line has no room for: titles of axes, and labels."""

from __future__ import annotations

import re

from codesample.evaluation.members import is_ranked

__all__ = ["in_lines", "score_axis"]

# characters that a title below a chart has room for, and lines of a text at most
_LONGEST_LINE, _MOST_LINES = 48, 4
_WORD, _PIECE = re.compile(r"[^ ,|]*[ ,|]|[^ ,|]+"), re.compile(r"[^_]*_|[^_]+")


def score_axis(name: str) -> list[str]:
    """Return what an axis of scores shows; those of a composition in order are places from the last one."""
    what = "place from the last, 0, up" if is_ranked(name) else "score"
    whole = in_lines(f"{what} by {name}", _LONGEST_LINE)
    return whole if len(whole) == 1 else [what, *in_lines(f"by {name}", _LONGEST_LINE)]


def in_lines(text: str, most: int) -> list[str]:
    """Return a text in lines of so many characters at most, broken at blanks and commas.

    A longer word is broken at its low lines, else where its line ends; a text of many lines ends in "…".
    """
    lines = [""]
    for word in _WORD.findall(text):
        pieces = [word] if len(word.rstrip()) <= most else _PIECE.findall(word)
        for part in (piece[at : at + most] for piece in pieces for at in range(0, len(piece), most)):
            if len((lines[-1] + part).rstrip()) <= most:
                lines[-1] += part
            else:
                lines.append(part)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][: most - 1]}…"]
    return [line.strip() for line in lines]
