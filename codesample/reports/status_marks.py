"""One mark and one colour for each outcome of a program, for lines that have no room for words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rich.text import Text

from codesample.records import Status

__all__ = ["STYLES", "legend", "mark", "status_bar"]


class _Mark(NamedTuple):
    shown: str
    plain: str
    style: str


_MARKS = {
    Status.PASSED: _Mark("✓", "+", "green"),
    Status.WRONG: _Mark("✗", "x", "red"),
    Status.ERROR: _Mark("!", "!", "yellow"),
    Status.CPU_TIMEOUT: _Mark("t", "t", "magenta"),
    Status.WALL_TIMEOUT: _Mark("w", "w", "magenta"),
    Status.MEMORY: _Mark("m", "m", "magenta"),
    Status.OUTPUT_LIMIT: _Mark("o", "o", "magenta"),
    Status.CRASHED: _Mark("c", "c", "magenta"),
    Status.UNSUPPORTED_VALUE: _Mark("u", "u", "yellow"),
    Status.HARNESS_ERROR: _Mark("?", "?", "bold red"),
}

STYLES: Mapping[Status, str] = {status: each.style for status, each in _MARKS.items()}
"""Colours by status."""


def mark(status: Status, *, plain: bool) -> str:
    """Return the mark of a status, one character; `plain` for streams that take ASCII only."""
    found = _MARKS[status]
    return found.plain if plain else found.shown


def legend(statuses: Iterable[Status], *, plain: bool) -> str:
    """Say what the marks of some statuses mean, in the order of `Status`."""
    there = set(statuses)
    return "  ".join(f"{mark(each, plain=plain)} {_words(each)}" for each in Status if each in there)


def status_bar(counts: Mapping[Status, int], *, width: int, plain: bool) -> Text:
    """Return a mark for each verdict, those of one status together; at most `width`, then shares of it.

    A status that occurs has at least one mark, as long as there are no more statuses than room.
    """
    sizes = _sizes(counts, width)
    bar = Text()
    for status, size in sizes.items():
        bar.append(mark(status, plain=plain) * size, style=_MARKS[status].style)
    return bar


def _sizes(counts: Mapping[Status, int], width: int) -> dict[Status, int]:
    there = {status: counts[status] for status in Status if counts.get(status)}
    total = sum(there.values())
    if total <= width:
        return there
    # one mark each, and the rest by the largest remainders
    spare = max(0, width - len(there))
    exact = {status: spare * count / total for status, count in there.items()}
    sizes = {status: 1 + int(share) for status, share in exact.items()}
    left = spare - sum(int(share) for share in exact.values())
    for status in sorted(exact, key=lambda each: int(exact[each]) - exact[each])[:left]:
        sizes[status] += 1
    return sizes


def _words(status: Status) -> str:
    return str(status).replace("_", " ")
