"""Reads inputs of scripts, with their outputs, out of what a model wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["read_script_cases"]

_LONGEST_INPUT, _LONGEST_TEXT = 10_000, 40_000
_LABEL = re.compile(r"^\W*(?:sample |example |test )?(input|output)s?\b[\s\d#*]*(?:\([^)]*\))?\W*$", re.I)


def read_script_cases(text: str) -> list[tuple[str, str | None]]:
    """Return the inputs that a text holds, with their outputs where it states them, in their order.

    An input or an output follows a line that says so, in a fence, or up to an empty line or the next label.
    One whose fence does not end was cut off, and is left out.
    """
    cases: list[tuple[str, str | None]] = []
    for label, content in _labelled(text[:_LONGEST_TEXT]):
        if label == "input":
            if content.strip() and len(content) <= _LONGEST_INPUT and _can_be_written(content):
                cases.append((f"{content.strip(chr(10))}\n", None))
            else:
                cases.append(("", None))
        elif cases and cases[-1][1] is None and _can_be_written(content):
            cases[-1] = (cases[-1][0], content.strip("\n"))
    return [each for each in cases if each[0]]


def _labelled(text: str) -> Iterator[tuple[str, str]]:
    """Yield each stretch of text that stands behind a line saying "input" or "output", with that word."""
    lines = text.replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        found = _LABEL.match(lines[at]) if len(lines[at]) < 60 else None
        at += 1
        if found is None:
            continue
        while at < len(lines) and not lines[at].strip():
            at += 1
        fenced = at < len(lines) and lines[at].lstrip().startswith("```")
        begin = at = at + fenced
        while at < len(lines) and not _ends(lines[at], fenced=fenced):
            at += 1
        if fenced and at == len(lines):
            return
        yield found[1].lower(), "\n".join(lines[begin:at])
        at += fenced


def _ends(line: str, *, fenced: bool) -> bool:
    if fenced:
        return line.lstrip().startswith("```")
    return not line.strip() or bool(_LABEL.match(line))


def _can_be_written(text: str) -> bool:
    with suppress(UnicodeEncodeError):
        return "\x00" not in text.encode().decode()
    return False
