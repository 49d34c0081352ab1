"""Tests by key, sent to an actor once for all programs that they judge; driver and actor forget alike."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from codesample.errors import ParameterError
from codesample.execution.wire import codec, messages
from codesample.records import Tests

__all__ = ["KnownTests", "Shipment", "expect_plain"]

KEPT = 256
"""Problems' tests that an actor keeps."""

REMEMBERED = 1000
"""Tests whose key the driver need not compute again."""


class Shipment(NamedTuple):
    """What an actor is to learn before it begins, and what it is to forget."""

    tests: dict[str, Tests]
    forget: list[str]


class KnownTests:
    """Which tests each actor has."""

    def __init__(self) -> None:
        self._keys: dict[int, tuple[Tests, str]] = {}
        self._known: dict[Hashable, dict[str, None]] = {}

    def key(self, tests: Tests) -> str:
        """Return the key of tests.

        Raises:
            ParameterError: they hold inputs that are not plain data, or are of no kind that is judged.
        """
        found = self._keys.get(id(tests))
        if found is None:
            try:
                key = messages.digest(messages.encode_tests(tests))
            except codec.CodecError as error:
                raise ParameterError(f"the inputs of the tests are not plain data: {error}") from None
            # the record is kept, so that its id stays its own
            found = self._keys[id(tests)] = (tests, key)
            if len(self._keys) > REMEMBERED:
                del self._keys[next(iter(self._keys))]
        return found[1]

    def shipment(self, holder: Hashable, needed: Mapping[str, Tests]) -> Shipment:
        """Return what a holder lacks of these, and what it is to forget for them; it counts as sent."""
        known = self._known.setdefault(holder, {})
        lacking = {key: tests for key, tests in needed.items() if key not in known}
        for key in needed:
            # the newest are last
            known.pop(key, None)
            known[key] = None
        forget = [key for key, _ in zip(list(known), range(max(0, len(known) - KEPT)), strict=False)]
        for key in forget:
            del known[key]
        return Shipment(lacking, forget)

    def lost(self, holder: Hashable) -> None:
        """Forget a holder."""
        self._known.pop(holder, None)


def expect_plain(inputs: object) -> None:
    """Refuse arguments of calls that cannot be sent into the sandbox; raises ParameterError."""
    try:
        codec.encode(inputs)
    except codec.CodecError as error:
        raise ParameterError(f"the arguments are not plain data: {error}") from None
