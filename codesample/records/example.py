"""Pairs of an input and its output, as a prompt shows them."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.records.fields import check_types
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["CallExample", "Example", "ScriptExample"]


@validated
@dataclass(frozen=True, slots=True)
class Example:
    """An input with its output; a kind is a subclass.

    Raises:
        ParameterError: a part of it that is no text.
    """

    def __post_init__(self) -> None:
        check_types(self)


@validated
@dataclass(frozen=True, slots=True)
class CallExample(Example):
    """A call and its value: two Python expressions."""

    call: str
    expected: str

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class ScriptExample(Example):
    """What a script reads from standard input, and what it must print."""

    input: str
    output: str

    __repr__ = one_line
