"""When a program's result counts as equal to the expected one."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["same_result"]

_RELATIVE = 1e-7
_FLOAT_TOLERANCE = 1e-6


def same_result(got: Any, expected: Any, atol: float) -> bool:
    """Compare plain data by the rules of EvalPlus (arXiv:2305.01210).

    Equal values are the same. Otherwise, with `atol` or where `expected` is a float or a non-empty list
    or tuple of floats, types and shapes must agree and numbers lie within atol + 1e-7 |expected|;
    there `atol` 0 stands for 1e-6.
    """
    if got == expected:
        return True
    if atol == 0 and _is_floats(expected):
        atol = _FLOAT_TOLERANCE
    return atol != 0 and type(got) is type(expected) and _close(got, expected, atol)


def _is_floats(value: Any) -> bool:
    if type(value) in (list, tuple):
        return bool(value) and all(type(item) is float for item in value)
    return type(value) is float


def _close(got: Any, expected: Any, atol: float) -> bool:
    if isinstance(expected, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            return False
        return all(_close(ours, theirs, atol) for ours, theirs in zip(got, expected, strict=True))
    if not isinstance(got, (int, float, complex)) or not isinstance(expected, (int, float, complex)):
        return False
    if got == expected:
        return True
    try:
        gap, size = abs(got - expected), abs(expected)
        return math.isfinite(size) and gap <= atol + _RELATIVE * size
    except OverflowError:
        # beyond the range of floats only equal numbers are close
        return False
