"""What a value in tests may be, as a set of kinds: the lattice in which a text of tests is read.

A set is an integer of two bits for each kind. The even bit says that the value itself may be of the kind,
the odd bit that something held by it may be, at any depth: `[f, 1]` for a program's `f` is DATA | MUTABLE
with DATA and FUNCTION within. Sets are joined by `|`, so that what is known only grows while a text is read.

Kinds of values that the text itself brings in (modules, functions and classes of the library or of the
tests, instances of the tests' own classes) are added to these as they are met, from `FIRST_OF_A_TEXT` on.
"""

from __future__ import annotations

from itertools import count

__all__ = [
    "CHANGED",
    "CLASS",
    "CONTEXT",
    "DATA",
    "DECIMAL",
    "EITHER",
    "ENTRY",
    "FIRST_OF_A_TEXT",
    "FOREIGN",
    "FUNCTION",
    "ITERATOR",
    "METHOD",
    "MOST_KINDS",
    "MUTABLE",
    "NAN",
    "OBJECT",
    "OF_PROGRAM",
    "OPAQUE",
    "RAISED",
    "RESULT",
    "STREAM",
    "TAKEN",
    "TYPE_OF_DATA",
    "TYPE_OF_RESULT",
    "anywhere",
    "directly",
    "held",
    "holding",
    "word",
]

_WORDS: dict[int, str] = {}
_numbers = count()


def _kind(text: str) -> int:
    bit = 1 << 2 * next(_numbers)
    _WORDS[bit] = text
    return bit


DATA = _kind("data")
"""A plain value that can cross, or a container of the tests."""
MUTABLE = _kind("data")
"""DATA that can be changed in place."""
CHANGED = _kind("data")
"""DATA that the program was handed and may have changed in place."""
RESULT = _kind("a result of the program")
"""What a function of the program returned: data, or a stand-in for anything."""
OBJECT = _kind("an object of the program")
"""An instance of a class of the program, or a constant held by such a class."""
EITHER = _kind("what the entry point returned")
"""RESULT or OBJECT: the entry point may be a class by its name."""
FUNCTION = _kind("a name of the program")
CLASS = _kind("a class of the program")
ENTRY = _kind("the entry point")
"""An entry point that may be a class by its name."""
ITERATOR = _kind("an iterator")
METHOD = _kind("a bound method")
OPAQUE = _kind("an object of the tests")
"""An object of the standard library that does not cross, such as `object()` or `random.Random(1)`."""
STREAM = _kind("a stream")
"""A StringIO, or what stands at sys.stdout."""
CONTEXT = _kind("a context manager")
RAISED = _kind("an exception")
"""An exception that was caught: it may come from the program."""
TAKEN = _kind("a record of an exception")
"""What `pytest.raises` gives."""
TYPE_OF_RESULT = _kind("the type of a result")
TYPE_OF_DATA = _kind("the type of data")
FOREIGN = _kind("an object of another package")
"""Anything of a package that is not in the standard library."""
NAN = _kind("a number that differs from itself")
"""Such a number, or the text from which one is made."""
DECIMAL = _kind("a decimal number")
"""A Decimal, whose arithmetic obeys a context that the program could change."""

FIRST_OF_A_TEXT = next(_numbers)
MOST_KINDS = 8_192
"""More than these are in no set."""
_EVEN = int("01" * MOST_KINDS, 2)
_ODD = _EVEN << 1

OF_PROGRAM = RESULT | OBJECT | EITHER | FUNCTION | CLASS | ENTRY


def anywhere(kinds: int) -> int:
    """Return `kinds` together with values that hold them; `kinds` is of even bits."""
    return kinds | kinds << 1


def directly(kinds: int) -> int:
    """Return what the value itself may be, without what it may hold."""
    return kinds & _EVEN


def holding(kinds: int) -> int:
    """Return the odd bits of a container that holds a value of `kinds`."""
    return (kinds & _EVEN) << 1 | kinds & _ODD


def held(kinds: int) -> int:
    """Return what is known of the things that a container of `kinds` holds."""
    within = kinds & _ODD
    return within >> 1 | within


def word(kinds: int) -> str:
    """Name the first of `kinds` for a reader; "" where it is one that a text brought in."""
    lowest = kinds & -kinds
    return _WORDS.get(lowest) or _WORDS.get(lowest >> 1, "")
