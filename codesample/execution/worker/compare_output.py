"""When what a script printed counts as the expected output."""

from __future__ import annotations

import math
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from itertools import zip_longest

__all__ = ["as_text", "normal_output", "same_output"]

_BLANKS = " \t\r"
_WORD = re.compile(r"[^ \t\r]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPARE_DIGITS = 30


def as_text(output: bytes) -> str:
    """Decode what a program printed; bytes that are not UTF-8 become what no expected text holds."""
    return output.decode(errors="surrogateescape")


def same_output(got: str, expected: str, *, atol: float = 0.0, rtol: float = 0.0) -> bool:
    r"""Compare line by line; only "\n" ends a line, so that "\r\n" does too.

    Spaces, tabs and carriage returns at the ends of lines do not count, nor do empty lines at the end.
    With a tolerance, lines that differ are compared word by word, words being what blanks part: they
    must be equal, or finite decimal numbers of which the first lies within atol + rtol |second| of the
    second.
    """
    if got == expected:
        return True
    pairs = zip_longest(_lines(got), _lines(expected))
    if atol == 0 and rtol == 0:
        return all(ours == theirs for ours, theirs in pairs)
    allowed = (Decimal(repr(atol)), Decimal(repr(rtol)))
    return all(ours == theirs or _close_lines(ours, theirs, *allowed) for ours, theirs in pairs)


def normal_output(output: str) -> str:
    """Return one text for all outputs that `same_output` holds equal without a tolerance."""
    return "\n".join(_lines(output))


def _lines(text: str) -> list[str]:
    lines = [line.rstrip(_BLANKS) for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _close_lines(got: str | None, expected: str | None, atol: Decimal, rtol: Decimal) -> bool:
    if got is None or expected is None:
        return False
    ours, theirs = _WORD.findall(got), _WORD.findall(expected)
    if len(ours) != len(theirs):
        return False
    return all(a == b or _close(a, b, atol, rtol) for a, b in zip(ours, theirs, strict=True))


def _close(got: str, expected: str, atol: Decimal, rtol: Decimal) -> bool:
    """Compare exactly, for as floats long integers that differ would be equal."""
    ours, theirs = _number(got), _number(expected)
    if ours is None or theirs is None:
        return False
    exact = Context(prec=len(got) + len(expected) + _SPARE_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
    gap = exact.abs(exact.subtract(ours, theirs))
    return gap <= exact.add(atol, exact.multiply(rtol, exact.abs(theirs)))


def _number(word: str) -> Decimal | None:
    """Return the finite decimal number that a word is; None for any other word."""
    if _NUMBER.fullmatch(word) is None or not math.isfinite(float(word)):
        return None
    try:
        return Decimal(word)
    except InvalidOperation:
        # an exponent beyond all that a Decimal has; it is no large number, so it is none at all
        return Decimal(0)
