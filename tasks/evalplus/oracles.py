"""Problems whose right answer is not one value: what is accepted instead of equality, as trusted source.

Each text defines `accept(arguments, result, expected)`. The cases are those of EvalPlus 0.3.1.
"""

from __future__ import annotations

__all__ = ["HUMANEVAL_ORACLES", "MBPP_ORACLES", "TRUTH_OF_MATCH"]

_ROOT = """
import math

def accept(arguments, result, expected):
    (coefficients,) = arguments
    value = sum(factor * math.pow(result, power) for power, factor in enumerate(coefficients))
    return abs(value) <= 1e-4
"""

_SAME_ELEMENTS = """
def accept(arguments, result, expected):
    return set(result) == set(expected)
"""

_SAME_TRUTH = """
def accept(arguments, result, expected):
    found = result if isinstance(result, bool) else result is not None
    return found == expected
"""

_DIGIT_DISTANCE = """
def by_digit(first, second):
    width = max(len(str(first)), len(str(second)))
    pairs = zip(str(first).zfill(width), str(second).zfill(width))
    return sum(abs(int(one) - int(other)) for one, other in pairs)

def accept(arguments, result, expected):
    return result == expected or result == by_digit(*arguments)
"""

_PYRAMID = """
import math

def by_height(edge, height):
    slant = math.sqrt((edge / 2) ** 2 + height ** 2)
    return round(edge ** 2 + 2 * edge * slant)

def accept(arguments, result, expected):
    return result == expected or abs(result - by_height(*arguments)) <= 1e-6
"""

_MATCHES = ("Mbpp/737", "Mbpp/787", "Mbpp/794")

TRUTH_OF_MATCH = dict.fromkeys(
    _MATCHES,
    """

_match_of = {entry_point}

def {entry_point}(*arguments):
    return _match_of(*arguments) is not None
""",
)
"""By task id: put behind a reference that returns a match, it makes it return whether there is one."""

HUMANEVAL_ORACLES = {"HumanEval/32": _ROOT}
"""Any root of the polynomial, not the one that the reference finds."""

MBPP_ORACLES = {
    **dict.fromkeys(
        ("Mbpp/2", "Mbpp/7", "Mbpp/111", "Mbpp/140", "Mbpp/232", "Mbpp/579", "Mbpp/769"), _SAME_ELEMENTS
    ),
    **dict.fromkeys(_MATCHES, _SAME_TRUTH),
    "Mbpp/558": _DIGIT_DISTANCE,
    "Mbpp/581": _PYRAMID,
}
"""By task id: a collection in any order; a match, or that there is one; either reading of a statement."""
