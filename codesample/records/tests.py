"""How programs of one problem are judged: one record for each kind of tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal

from codesample.errors import ParameterError
from codesample.records.example import ScriptExample
from codesample.records.fields import check_types
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["CodeTests", "InputTests", "ScriptTests", "Tests"]

_MOST_SECONDS, _MOST_BYTES = 86_400, 1 << 40
_MEASURES = {"judges": False}


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """What every kind of hidden tests states. Trusted: it never reaches a candidate's process.

    A kind is a subclass; this class itself judges nothing. Each kind gives a verdict with one result for
    each of its checks, `check_count` in all.

    Attributes:
        time_limit: CPU seconds for the whole program, or None for the executor's default.
        memory: Bytes of private memory for the program, or None for the executor's default.
        imports: Modules of the caller's installation that the program may import, beside those that the
            executor grants to all.
        scratch: Bytes of files that the program may keep in its current folder, or None for the executor's
            default, which is none at all.
        parts: Name and size of each part of the checks, in their order, such as (("base", 7), ("plus", 748));
            () for checks that are one whole. Figures are told for each part with those before it. They judge
            nothing and stand in no fingerprint.

    Raises:
        ParameterError: a limit that is not positive, parts that do not make up the checks, or a kind that
            could judge nothing.
    """

    # pytest would collect a class of this name
    __test__ = False

    time_limit: float | None = None
    memory: int | None = None
    imports: tuple[str, ...] = ()
    scratch: int | None = None
    parts: tuple[tuple[str, int], ...] = field(default=(), metadata=_MEASURES)

    __repr__ = one_line

    def __post_init__(self) -> None:
        check_types(self)
        for name, most in (("time_limit", _MOST_SECONDS), ("memory", _MOST_BYTES), ("scratch", _MOST_BYTES)):
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise ParameterError(f"{name} = {value!r}: expected a number above 0, to {most}, or None")
        self._check_parts()

    @property
    def check_count(self) -> int:
        """How many checks have a result of their own in a verdict."""
        return 0

    @property
    def part_ends(self) -> dict[str, int]:
        """By name of a part, how many checks there are up to its end."""
        names = [name for name, _ in self.parts]
        return dict(zip(names, accumulate(size for _, size in self.parts), strict=True))

    def _check_parts(self) -> None:
        if not self.parts:
            return
        names = [name for name, _ in self.parts]
        sizes = [size for _, size in self.parts]
        if len(set(names)) < len(names) or not all(names):
            raise ParameterError(f"parts = {self.parts!r}: expected names that are there and differ")
        # a first part without a check would hold for programs that were never loaded
        if sizes[0] < 1 or min(sizes) < 0 or sum(sizes) != self.check_count:
            raise ParameterError(
                f"parts = {self.parts!r}: expected sizes that make up the {self.check_count} checks, "
                "and at least one check in the first part"
            )


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTests(Tests):
    """Python that calls the program.

    Attributes:
        source: Python that ends normally exactly when the program is right; it calls `entry_point`
            and any other name the program defines.
        checks: Statements run one after another after `source`, each judged on its own; all must hold.
        entry_point: Name the program must define; None for data sets that do not state one.
        stub: Trusted definitions that stand before the program in the prompt, such as HumanEval's helpers.
        mode: "split" runs the tests in another process than the program. "in_process" runs `source`
            and `checks` beside it, for tests that are not trusted; the verdict's integrity is then "weak".
            "auto" lets the tests decide, never the program: split where they can be, else in process.
        reference: A whole program that is known to pass. It judges nothing and stands in no fingerprint:
            without a `time_limit`, loading a program, `source` and each of `checks` may take ten times the
            CPU time that it takes on this machine, at least a second.

    Raises:
        ParameterError: neither source nor checks.
    """

    source: str = ""
    checks: tuple[str, ...] = ()
    entry_point: str | None = None
    stub: str = ""
    mode: Literal["auto", "split", "in_process"] = "auto"
    reference: str | None = field(default=None, metadata=_MEASURES)

    __repr__ = one_line

    def __post_init__(self) -> None:
        Tests.__post_init__(self)
        if not self.source.strip() and not self.checks:
            raise ParameterError("no tests: give source, checks or both")

    @property
    def check_count(self) -> int:
        """One for each of `checks`; `source` alone has no result besides the verdict."""
        return len(self.checks)


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class InputTests(Tests):
    """Argument lists on which the program must return what a reference returns, or stated results.

    Each is a check. An input that the reference does not answer within the limits is judged by nobody: it
    holds for every program that gets as far. Each other may take ten times the CPU time of the reference on
    this machine, at least a second. A failure does not end the checks, but bounds what the rest may take.

    Attributes:
        inputs: Argument lists for `entry_point`; plain data of built-in types.
        entry_point: Name the program and the reference must define.
        reference: Trusted source whose results are the expected ones, plain data of built-in types; "" where
            `expected` states them.
        expected: The expected results, one for each input, plain data of built-in types; None asks the
            reference.
        input_limit: CPU seconds that each input may take at least; None for a second.
        atol: Absolute tolerance of numbers in compared results; 0 means exact, but for a float or a list
            or tuple of floats, which get 1e-6.
        oracle: Trusted source that defines `accept(arguments, result, expected) -> bool`, used in place
            of equality; `expected` is what `reference` returned, or what was stated.

    Raises:
        ParameterError: no input, no entry point, not one of reference and expected results, another number
            of these than of inputs, a tolerance below 0, or a limit that is not positive.
    """

    inputs: tuple[tuple[Any, ...], ...]
    entry_point: str
    reference: str = ""
    atol: float = 0.0
    oracle: str | None = None
    expected: tuple[Any, ...] | None = None
    input_limit: float | None = None

    __repr__ = one_line

    def __post_init__(self) -> None:
        Tests.__post_init__(self)
        if not self.inputs or not self.entry_point:
            raise ParameterError("tests by inputs need at least one input and an entry point")
        if (self.expected is None) == (not self.reference.strip()):
            raise ParameterError("tests by inputs need either a reference or the expected results")
        if self.expected is not None and len(self.expected) != len(self.inputs):
            raise ParameterError(f"{len(self.expected)} expected results for {len(self.inputs)} inputs")
        if self.input_limit is not None and not 0 < self.input_limit <= _MOST_SECONDS:
            raise ParameterError(
                f"input_limit = {self.input_limit!r}: expected a number above 0, to {_MOST_SECONDS}, or None"
            )
        if not self.atol >= 0:
            raise ParameterError(f"atol = {self.atol!r}: expected a number of at least 0")

    @property
    def check_count(self) -> int:
        """One for each input."""
        return len(self.inputs)


@validated
@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTests(Tests):
    """Standard inputs on which a program, run as a script, must print the expected output; each is a check.

    A case that fails does not end the checks, but bounds what the rest may take; one that hits a limit does.
    Only a line feed, or a carriage return before it, ends a line of output. Spaces, tabs and carriage
    returns at the ends of lines do not count, nor do empty lines at the end.

    Attributes:
        cases: Input and expected output; each case runs in a process of its own.
        atol, rtol: Absolute and relative tolerance, 0 for none: a number may be off by atol + rtol times
            the expected one. With either, lines that differ are compared word by word, words that are
            both finite decimal numbers by value; blanks between words do not count then.
        checker: Trusted source that defines `accept(input, output, expected) -> bool` on three texts, used
            in place of comparison; `expected` is the case's output.

    Raises:
        ParameterError: no case, a tolerance below 0 or without end, or one beside a checker.
    """

    cases: tuple[ScriptExample, ...]
    atol: float = 0.0
    rtol: float = 0.0
    checker: str | None = None

    __repr__ = one_line

    def __post_init__(self) -> None:
        Tests.__post_init__(self)
        if not self.cases:
            raise ParameterError("tests by scripts need at least one case of input and output")
        for case in self.cases:
            try:
                case.input.encode()
            except UnicodeEncodeError as error:
                raise ParameterError(f"an input of a script cannot be written: {error}") from None
        for name in ("atol", "rtol"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ParameterError(f"{name} = {value!r}: expected a finite number of at least 0")
        if self.checker is not None and (self.atol or self.rtol):
            raise ParameterError("a checker compares by itself; give it, or atol and rtol")
        if self.checker is not None and not self.checker.strip():
            raise ParameterError("checker is empty; it must define accept(input, output, expected)")

    @property
    def check_count(self) -> int:
        """One for each case."""
        return len(self.cases)
