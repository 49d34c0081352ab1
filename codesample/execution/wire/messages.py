"""Records as plain data, for the socket between the scheduler and its workers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Any

from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.records import Status, Tests

__all__ = [
    "CHECKS_TIMED_OUT",
    "HELD_TESTS",
    "MAX_MESSAGE",
    "READY",
    "REFERENCE_PATIENCE",
    "Outcome",
    "as_plain",
    "digest",
    "encode_tests",
    "limits_from",
    "tests_from",
]

CHECKS_TIMED_OUT = "the tests did not finish on what the program returned"

REFERENCE_PATIENCE = 5.0
"""A reference may use so many times the CPU time of a program; the program then gets more as well."""

MAX_MESSAGE = 1 << 30
"""Bytes of one job with its tests, and of one reply."""

READY = b"null"
"""The first message of a worker, before any reply."""

HELD_TESTS = 32
"""How many problems' tests a worker keeps; the scheduler counts along and sends again what is gone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of a program's function came to.

    Attributes:
        status: PASSED where it returned plain data; ERROR, a limit, or UNSUPPORTED_VALUE elsewhere.
        value: What it returned, plain data of built-in types; None without PASSED.
        detail: First lines of the traceback or the limit hit.
    """

    status: Status
    value: Any = None
    detail: str = ""


def encode_tests(tests: Tests) -> bytes:
    """Encode tests; raises codec.CodecError where `inputs` are not plain data."""
    return codec.encode(as_plain(tests))


def as_plain(record: Tests | Limits) -> dict[str, Any]:
    """Return a flat record's fields by name."""
    return {item.name: getattr(record, item.name) for item in fields(record)}


def tests_from(data: dict[str, Any]) -> Tests:
    """Build `Tests` from `as_plain`."""
    return Tests(**data)


def limits_from(data: dict[str, Any]) -> Limits:
    """Build `Limits` from `as_plain`."""
    return Limits(**data)


def digest(*parts: bytes) -> str:
    """Name content by its hash; parts are kept apart."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
