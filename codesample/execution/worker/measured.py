"""What came of a reference on its inputs: expected results, and the CPU time that each of them took."""

from __future__ import annotations

import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.readings import brief
from codesample.execution.worker.run_calls import Called
from codesample.records import InputTests, Status

__all__ = ["Measured", "RunReference", "measure"]

_QUICKLY = 1

RunReference = Callable[[str, str, list[Any]], Called]


@dataclass(frozen=True, slots=True)
class Measured:
    """The answers of a reference.

    Attributes:
        positions: Which of `InputTests.inputs` it answers within the limits.
        expected: What it returned for each of them.
        seconds: CPU seconds that each of them took.
        start_seconds: CPU seconds that it took to load itself and the inputs.
        cpu_seconds: CPU seconds of everything together, unanswered inputs included.
    """

    positions: tuple[int, ...]
    expected: list[Any]
    seconds: list[float]
    start_seconds: float
    cpu_seconds: float

    def packed(self) -> str:
        """Return it as ASCII text: zipped, for two of HumanEval+ would take a hundred megabytes each.

        Raises:
            codec.CodecError: a result that cannot cross once more.
        """
        # each result by itself, for inside of the whole one might be too deep
        rest = codec.encode([self.positions, self.seconds, self.start_seconds, self.cpu_seconds])
        plain = b"[%s,[%s]]" % (rest, b",".join(map(codec.encode, self.expected)))
        return b2a_base64(zlib.compress(plain, _QUICKLY), newline=False).decode("ascii")

    @classmethod
    def stated(cls, expected: tuple[Any, ...]) -> Measured:
        """Build it from results that the tests state, so that nothing took any time."""
        return cls(tuple(range(len(expected))), list(expected), [0.0] * len(expected), 0.0, 0.0)

    @classmethod
    def unpacked(cls, text: str) -> Measured:
        """Build it from what `packed` returned."""
        plain = zlib.decompress(a2b_base64(text))
        (positions, seconds, start_seconds, cpu_seconds), expected = codec.decode(plain, trusted=True)
        return cls(positions, expected, seconds, start_seconds, cpu_seconds)


def measure(tests: InputTests, run_reference: RunReference) -> Measured:
    """Run the reference on its inputs, and keep what it answers with a value.

    Args:
        tests: Trusted.
        run_reference: Calls the entry point of a source on argument lists, confined as programs are, and
            times each call.

    Raises:
        TestsFault: the reference fails on its own inputs or returns what is not plain data.
        HarnessFault: the sandbox failed.
    """
    called = run_reference(tests.reference, tests.entry_point, list(tests.inputs))
    for arguments, reading in zip(tests.inputs, called.readings, strict=True):
        if reading.status in (Status.ERROR, Status.UNSUPPORTED_VALUE):
            # two objects of two processes cannot be compared, and what is left out is judged by nobody
            raise TestsFault(f"the reference fails on its own input {brief(arguments)}: {reading.detail}")
    answered = [at for at, reading in enumerate(called.readings) if reading.status is Status.PASSED]
    if not answered:
        raise TestsFault(f"the reference answers none of its inputs: {called.readings[0].detail}")
    return Measured(
        positions=tuple(answered),
        expected=[called.readings[at].value for at in answered],
        seconds=[called.seconds[at] for at in answered],
        start_seconds=called.start_seconds,
        cpu_seconds=called.cpu_seconds,
    )
