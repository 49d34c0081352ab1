"""What a program's replies report, and words for people about anything that came from one."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from typing import Any

from codesample.execution.worker.raised import marked
from codesample.execution.worker.stand_ins import Handle, described
from codesample.records import Status

__all__ = ["Reading", "brief", "reading_of", "shown"]

_MAX_DETAIL = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reply reports: a value, an exception the tests may see, or the end of the program."""

    status: Status
    value: Any = None
    detail: str = ""
    raised: Exception | None = None


def reading_of(parts: list[Any]) -> Reading | None:
    """Return what a reply reports; None where it is malformed."""
    # exact types, for an instance of a subclass is a stand-in, which asks the program when it is used
    match parts:
        case ["value", value]:
            return Reading(Status.PASSED, value=value)
        case ["raise", Exception() as error, detail] if type(detail) is str:
            if isinstance(error, MemoryError):
                return Reading(Status.MEMORY, detail=detail)
            return Reading(Status.ERROR, detail=detail, raised=marked(error, detail))
        case ["end", _, detail] if type(detail) is str:
            return Reading(Status.ERROR, detail=detail)
        case ["refused", reason] if type(reason) is str:
            return Reading(
                Status.UNSUPPORTED_VALUE, detail=f"the program returned what cannot cross: {reason}"
            )
        case ["large", size] if type(size) is int:
            return Reading(Status.OUTPUT_LIMIT, detail=f"the program returned {brief(size)} encoded bytes")
    return None


def brief(value: object) -> str:
    """Describe any value in a few words, without asking the program for any."""
    if isinstance(value, Handle):
        return described(value)
    try:
        return _BRIEF.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


class _Brief(reprlib.Repr):
    """Shortens, and leaves the program alone: it may have ended."""

    def repr1(self, x: Any, level: int) -> str:
        return described(x) if isinstance(x, Handle) else super().repr1(x, level)


_BRIEF = _Brief()


def shown(text: str) -> str:
    """Cut what a program may have had a part in, and take out what could steer a terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in text[:_MAX_DETAIL])
