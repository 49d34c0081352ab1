"""From an answer to a program: what was taken, by which rule, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Extraction"]


@validated
@dataclass(frozen=True, slots=True)
class Extraction:
    """The program that an answer holds.

    Attributes:
        program: The text that is run.
        rule: Names what led to it, such as "fence" or "continuation"; for records and reports.
        spans: Which parts of the answer the program was made of: (begin, end) in characters, ascending and
            apart. What the program holds besides came from the prompt; only the rule "method" adds a line.
    """

    program: str
    rule: str
    spans: tuple[tuple[int, int], ...]

    __repr__ = one_line
