"""Text with its white space made visible, safe for any terminal and any pipe."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

__all__ = ["ASCII", "UNICODE", "Marks", "safe", "visible"]


class Marks(NamedTuple):
    """What stands for what cannot be seen: line feed (a line break follows), tab, carriage return, blank."""

    newline: str
    tab: str
    carriage: str
    blank: str


UNICODE = Marks("⏎", "⇥", "␍", "·")
ASCII = Marks("\\n", "\\t", "\\r", "\\s")
"""For streams that take no other characters."""


def visible(text: str, marks: Marks = UNICODE) -> str:
    """Mark line ends, tabs, blanks before a line's end, and characters that a screen does not show.

    Other blanks stay as they are. What is neither shown nor marked stands as its number, such as <U+200B>,
    and so does what could steer a terminal.
    """
    lines = text.split("\n")
    shown = [_line(line, marks) for line in lines]
    return f"{marks.newline}\n".join(shown)


def safe(text: str, *, ascii_only: bool = False) -> str:
    """Return text that can steer no terminal: lines and tabs stay, what a screen does not show is a number.

    Args:
        ascii_only: Whether characters beyond ASCII stand as numbers as well.
    """
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if char in "\n\t" else _char(char, ascii_only=ascii_only) for char in text)


def _line(line: str, marks: Marks) -> str:
    kept = line.rstrip(" ")
    named = {"\t": marks.tab, "\r": marks.carriage}
    shown = "".join(named.get(char) or _char(char, ascii_only=marks is ASCII) for char in kept)
    return shown + marks.blank * (len(line) - len(kept))


def _char(char: str, *, ascii_only: bool) -> str:
    hidden = char != " " and unicodedata.category(char)[0] in "CZ"
    return f"<U+{ord(char):04X}>" if hidden or (ascii_only and not char.isascii()) else char
