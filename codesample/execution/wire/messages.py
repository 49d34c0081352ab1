"""Records as plain data, for the socket between the scheduler and its workers."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from codesample.errors import ParameterError
from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.records import CodeTests, InputTests, ScriptExample, ScriptTests, Tests

__all__ = [
    "CHECKS_TIMED_OUT",
    "HELD_TESTS",
    "MAX_MESSAGE",
    "MAX_PROCESSES",
    "READY",
    "REFERENCE_PATIENCE",
    "as_plain",
    "checks_from",
    "digest",
    "encode_tests",
    "limits_from",
    "pack_checks",
    "tests_from",
]

CHECKS_TIMED_OUT = "the tests did not finish on what the program returned"

REFERENCE_PATIENCE = 5.0
"""A reference may use so many times the CPU time of a program; the program then gets more as well."""

MAX_PROCESSES = 3
"""How many processes the calls of one program may end before the rest are given up."""

MAX_MESSAGE = 1 << 30
"""Bytes of one job with its tests, and of one reply."""

READY = b"null"
"""The first message of a worker, before any reply."""

HELD_TESTS = 32
"""How many problems' tests a worker keeps; the scheduler counts along and sends again what is gone."""

_KINDS = {kind.__name__: kind for kind in (CodeTests, InputTests, ScriptTests)}
_RESULTS_KEPT = 4_096
_HELD, _FAILED = "1", "0"


def encode_tests(tests: Tests) -> bytes:
    """Encode tests as the name of their kind and their fields.

    Raises:
        ParameterError: tests of no kind that is judged here.
        codec.CodecError: inputs that are not plain data.
    """
    name = type(tests).__name__
    if _KINDS.get(name) is not type(tests):
        raise ParameterError(f"tests of kind {name} cannot be judged; expected one of {', '.join(_KINDS)}")
    return codec.encode([name, as_plain(tests)])


def as_plain(record: Tests | Limits | ScriptExample) -> dict[str, Any]:
    """Return a record's fields by name, script examples likewise."""
    plain = {item.name: getattr(record, item.name) for item in fields(record)}
    if isinstance(record, ScriptTests):
        plain["cases"] = [as_plain(case) for case in record.cases]
    return plain


def tests_from(data: list[Any]) -> Tests:
    """Build tests from what `encode_tests` encoded."""
    name, values = data
    kind = _KINDS[name]
    if kind is ScriptTests:
        values = {**values, "cases": tuple(ScriptExample(**case) for case in values["cases"])}
    return kind(**values)


def limits_from(data: dict[str, Any]) -> Limits:
    """Build `Limits` from `as_plain`."""
    return Limits(**data)


def pack_checks(checks: Iterable[bool]) -> str:
    """Write results of checks as one mark each."""
    return "".join(_HELD if held else _FAILED for held in checks)


@functools.lru_cache(_RESULTS_KEPT)
def checks_from(marks: str) -> tuple[bool, ...]:
    """Read what `pack_checks` wrote; equal results are one object, for most verdicts share theirs."""
    return tuple(mark == _HELD for mark in marks)


def digest(*parts: bytes) -> str:
    """Name content by its hash; parts are kept apart."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
