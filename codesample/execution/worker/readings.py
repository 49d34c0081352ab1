"""What a program's replies report, and words for people about anything that came from one."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

from codesample.execution.worker.raised import marked, set_apart
from codesample.execution.worker.stand_ins import Handle, described
from codesample.records import Status

__all__ = ["Reading", "brief", "reading_of", "shown"]

_MAX_DETAIL = 1_000
_LONGEST = 80
_MOST_MEMBERS = 10
_MOST_SORTED = 100
_MOST_BITS = 4_000
_LITERALS: dict[Any, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}")}
_BRACKETS = _LITERALS | {
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    Counter: ("Counter({", "})"),
    OrderedDict: ("OrderedDict({", "})"),
    defaultdict: ("defaultdict({", "})"),
}
_SCALARS = (int, float, complex, bool, type(None), range)
_MODULES_OF_SCALARS = ("datetime", "decimal", "fractions", "uuid")


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
            detail = set_apart(detail)
            if isinstance(error, MemoryError):
                return Reading(Status.MEMORY, detail=detail)
            return Reading(Status.ERROR, detail=detail, raised=marked(error, detail))
        case ["end", _, detail] if type(detail) is str:
            return Reading(Status.ERROR, detail=set_apart(detail))
        case ["refused", reason] if type(reason) is str:
            said = set_apart(f"the program returned what cannot cross: {reason}")
            return Reading(Status.UNSUPPORTED_VALUE, detail=said)
        case ["large", size] if type(size) is int:
            return Reading(Status.OUTPUT_LIMIT, detail=f"the program returned {brief(size)} encoded bytes")
    return None


def brief(value: Any, depth: int = 4) -> str:
    """Describe any value in a few words, without asking the program or running code of the tests.

    Args:
        value: Anything; a long one is shortened.
        depth: How many containers within one another are shown.
    """
    kind: Any = type(value)
    if isinstance(value, Handle):
        return described(value)
    if kind in _BRACKETS:
        opening, closing = _BRACKETS[kind]
        return (
            f"{opening}{_members(value, depth)}{closing}"
            if value or kind in _LITERALS
            else f"{kind.__name__}()"
        )
    if kind is str or kind is bytes:
        return repr(value) if len(value) <= _LONGEST else f"{value[:_LONGEST]!r}..."
    if kind is int and value.bit_length() > _MOST_BITS:
        return f"<int of {value.bit_length()} bits>"
    if kind in _SCALARS or kind.__module__ in _MODULES_OF_SCALARS:
        return _repr(value)[:_LONGEST]
    return f"<{kind.__name__[:_LONGEST]}>"


def _members(value: Any, depth: int) -> str:
    """Describe what is in a container, which is not asked whether its members are in some order."""
    if not depth:
        return "..."
    many = len(value) > _MOST_MEMBERS
    if isinstance(value, dict):
        pairs = islice(dict.items(value), _MOST_MEMBERS)
        shown = [f"{brief(key, depth - 1)}: {brief(item, depth - 1)}" for key, item in pairs]
    elif isinstance(value, (set, frozenset)):
        # of a large one, which of them come first changes from process to process
        shown = [] if len(value) > _MOST_SORTED else sorted(brief(item, depth - 1) for item in value)
        shown = shown[:_MOST_MEMBERS] or [f"{len(value)} members"]
    else:
        shown = [brief(item, depth - 1) for item in islice(value, _MOST_MEMBERS)]
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    return ", ".join([*shown, *(["..."] if many else [])]) + comma


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def shown(text: str) -> str:
    """Cut what a program may have had a part in, and take out what could steer a terminal."""
    return "".join(mark if mark.isprintable() or mark == "\n" else "?" for mark in text[:_MAX_DETAIL])
