"""Which reranker is scoring which problem, written where another process can read it after this one's end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from codesample.rerankers.blame import code_of

__all__ = ["Scoring", "at_work", "close_slate", "read_slate", "write_into"]

SIZE = 1 << 14
"""Bytes of a slate."""

_LONGEST = 2000


class Scoring(NamedTuple):
    """A reranker at work.

    Attributes:
        asked: The reranker that was asked for; `name` may be a part of it.
        name, task_id: What is scoring which problem.
        file, line: Where it was written; "" and 0 where that is not known.
        over: Whether it has come to its end; nothing is being scored then.
    """

    asked: str
    name: str
    task_id: str
    file: str
    line: int
    over: bool = False


_active: list[Scoring] = []
_slates: list[Any] = []


def write_into(memory: Any) -> None:
    """Write from now on into shared memory of `SIZE` bytes, such as an `mmap.mmap`."""
    _slates[:] = [memory]


@contextmanager
def at_work(name: str, task_id: str, scorer: Any) -> Iterator[None]:
    """Have it written for a block that this reranker is scoring this problem."""
    if not _slates:
        yield
        return
    code = code_of(scorer)
    asked = _active[0].asked if _active else name
    file, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
    entry = Scoring(asked, name, task_id[:_LONGEST], file, line)
    _active.append(entry)
    _write()
    try:
        yield
    finally:
        # those that are awaited end in any order
        _active.remove(entry)
        _write(entry)


def close_slate() -> None:
    """Have it written that the process ends by itself."""
    if _slates:
        _slates[0][:1] = b"\0"


def read_slate(memory: Any) -> Scoring | None:
    """Return what was being scored when it was written last, by another process too, or what was last.

    None where nothing was ever scored, and where the process has ended by itself.
    """
    text = bytes(memory[:SIZE]).partition(b"\0")[0]
    return Scoring(*json.loads(text)) if text else None


def _write(last: Scoring | None = None) -> None:
    entry = _active[-1] if _active else last and last._replace(over=True)
    text = json.dumps(entry).encode("ascii") if entry else b""
    # what does not fit is not told
    if len(text) < SIZE:
        _slates[0][: len(text) + 1] = text + b"\0"
