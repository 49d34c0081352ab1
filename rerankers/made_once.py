"""What is made once for a problem and shared by all rerankers: inputs, asserts, what programs do on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["Assert", "Cost", "Costed", "GeneratedTests", "Outputs", "Passes"]

_T = TypeVar("_T")


@validated
@dataclass(frozen=True, slots=True)
class Cost:
    """What something took, as if nothing of it had been there before.

    Attributes:
        tokens_drawn: Tokens sampled.
        tokens_read: Tokens of given text that a model read, prompts counted once per problem.
        executions: Programs started in the sandbox.
        seconds: Wall time.
    """

    tokens_drawn: int = 0
    tokens_read: int = 0
    executions: int = 0
    seconds: float = 0.0

    __repr__ = one_line

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.tokens_drawn + other.tokens_drawn,
            self.tokens_read + other.tokens_read,
            self.executions + other.executions,
            self.seconds + other.seconds,
        )


class Costed(list[_T]):
    """A list of what was made, now or earlier, with what it took then.

    Args:
        made: What it holds.
        cost: Of all of it.
    """

    def __init__(self, made: Iterable[_T], cost: Cost) -> None:
        super().__init__(made)
        self.cost = cost


@validated
@dataclass(frozen=True, slots=True)
class Assert:
    """A statement that a model wrote to test the function asked for, or the script.

    Attributes:
        statement: As it is run, such as "assert f(1) == 2".
        call, expected: Both sides, as Python expressions, where it compares a call with a value; else None.
            Of a script what it reads and what it is to print.
        written: How many of the generated texts hold it.
        shown: Whether it is one of the prompt's examples.
    """

    statement: str
    call: str | None = None
    expected: str | None = None
    written: int = 1
    shown: bool = False

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class GeneratedTests:
    """What a model wrote to test one problem, each input and assert once, most often written first.

    Attributes:
        asserts: Statements with an expectation.
        inputs: Calls, as Python expressions, or what a script reads; with those of `asserts`.
        cost: Of making them.
    """

    asserts: tuple[Assert, ...] = ()
    inputs: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost, compare=False)

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Outputs:
    """What candidates return on inputs: one row per candidate, one column per input.

    Attributes:
        inputs: Calls, as Python expressions, or what a script reads.
        rows: Per candidate the canonical text of each result: equal for equal results; None where the call
            failed. A whole row is None where the harness failed or there is no program.
        cost: Of running them.
        written: Of writing the tests that inputs come from, where some do.
    """

    inputs: tuple[str, ...]
    rows: tuple[tuple[str | None, ...] | None, ...]
    cost: Cost = field(default_factory=Cost, compare=False)
    written: Cost = field(default_factory=Cost, compare=False)

    __repr__ = one_line


@validated
@dataclass(frozen=True, slots=True)
class Passes:
    """Which generated asserts hold for which candidates: one row per candidate, one column per assert.

    Attributes:
        asserts: The columns.
        rows: Per candidate whether each holds; a whole row is None as in `Outputs`.
        cost: Of running them.
    """

    asserts: tuple[Assert, ...]
    rows: tuple[tuple[bool, ...] | None, ...]
    cost: Cost = field(default_factory=Cost, compare=False)

    __repr__ = one_line
