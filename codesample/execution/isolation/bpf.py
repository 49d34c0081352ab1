"""Assemble seccomp filters: rules per system call in, classic BPF instructions out.

A filter reads the architecture, the call's number and where needed the low or high half of an
argument, and returns a verdict. Source: the kernel's userspace-api/seccomp_filter document.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["ALLOW", "EPERM", "INSTRUCTION", "SELF", "Argument", "assemble"]

INSTRUCTION = struct.Struct("=HBBI")

ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
EPERM = _ERRNO | 1
ENOSYS = _ERRNO | 38

SELF = 0x5E1F0000
"""Stands for the process's own pid until the filter is loaded."""

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_ABOVE, _JUMP_NOT_BELOW = 0x15, 0x25, 0x35
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_X32_BIT = 0x40000000


class Argument(NamedTuple):
    """A condition: the low 32 bits of argument `number`, under `mask`, are one of `values`.

    With `high`, the upper 32 bits are meant instead.
    """

    number: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    high: bool = False


def assemble(
    *,
    architecture: int,
    allowed: Sequence[int],
    conditions: Mapping[int, Sequence[Argument]],
    absent: Sequence[int],
    highest: int,
) -> bytes:
    """Return a filter for one architecture (little-endian).

    Args:
        architecture: AUDIT_ARCH value; any other one kills the process.
        allowed: Numbers of calls that are always allowed.
        conditions: Number to conditions that must all hold, or the call fails with EPERM.
        absent: Numbers that fail with ENOSYS, so that the C library takes an older call.
        highest: Largest number known; those above fail with ENOSYS, all others with EPERM.
    """
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_NOT_BELOW, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
    ]
    for number in absent:
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, ENOSYS)]
    for number, tests in sorted(conditions.items()):
        body = _conditions(tests)
        code += [(_JUMP_EQUAL, 0, len(body), number), *body]
    for low, high in _ranges(allowed):
        code += [(_JUMP_NOT_BELOW, 0, 2, low), (_JUMP_ABOVE, 1, 0, high), (_RETURN, 0, 0, ALLOW)]
    code += [(_JUMP_ABOVE, 0, 1, highest), (_RETURN, 0, 0, ENOSYS), (_RETURN, 0, 0, EPERM)]
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in code)


def _conditions(tests: Sequence[Argument]) -> list[tuple[int, int, int, int]]:
    """Instructions that return ALLOW where all tests hold and EPERM elsewhere."""
    code: list[tuple[int, int, int, int]] = []
    for test in tests:
        code.append((_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * test.number + 4 * test.high))
        if test.mask != 0xFFFFFFFF:
            code.append((_AND, 0, 0, test.mask))
        count = len(test.values)
        code += [(_JUMP_EQUAL, count - at, 0, value) for at, value in enumerate(test.values)]
        code.append((_RETURN, 0, 0, EPERM))
    return [*code, (_RETURN, 0, 0, ALLOW)]


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Join sorted numbers into inclusive ranges."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
