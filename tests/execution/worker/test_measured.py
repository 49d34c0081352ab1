"""What is kept of a reference comes back as it was, and says how long each input took."""

from __future__ import annotations

import math
from typing import Any

import pytest

from codesample.execution import Limits
from codesample.execution.wire import codec
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.measured import Measured, measure
from codesample.execution.worker.run_calls import Called, run_calls
from codesample.records import InputTests


def by(reference: str, *inputs: Any) -> InputTests:
    return InputTests(inputs=tuple((each,) for each in inputs), entry_point="f", reference=reference)


@pytest.fixture
def measured(start: Any) -> Any:
    """Give a function from tests to what came of their reference, within a second and a half."""

    def run(source: str, entry_point: str, inputs: list[Any]) -> Called:
        return run_calls(
            lambda: start(Limits(cpu_seconds=1.5)),
            source,
            entry_point,
            inputs,
            check_seconds=5.0,
            timed=True,
        )

    return lambda tests: measure(tests, run)


def deep(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_kept_comes_back_as_it_was() -> None:
    values = [None, True, 1, 2**9000, -0.0, math.inf, 0.1, "\ud800", b"\0", (1, [2, {3}]), {(1, 2): {}}]
    kept = Measured((0, 2, 3), [*values, deep(codec.MAX_DEPTH)], [0.1, 1e-6, 2.5], 0.02, 3.25)
    back = Measured.unpacked(kept.packed())
    assert back == kept
    assert [type(value) for value in back.expected] == [type(value) for value in kept.expected]
    assert math.copysign(1.0, back.expected[4]) == -1.0


def test_each_input_has_its_own_time(measured: Any) -> None:
    source = """
import time
def f(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds
"""
    found = measured(by(source, 0.0, 0.3, 0.0, 0.1))
    assert (found.positions, found.expected) == ((0, 1, 2, 3), [0.0, 0.3, 0.0, 0.1])
    assert found.seconds == pytest.approx([0.0, 0.3, 0.0, 0.1], abs=0.05)
    assert 0.0 < found.start_seconds < 0.2
    assert sum(found.seconds) < found.cpu_seconds < sum(found.seconds) + 0.3


def test_what_is_not_answered_has_neither_place_nor_time(measured: Any) -> None:
    found = measured(by("import os\ndef f(x):\n    return os._exit(0) if x == 1 else x", 0, 1, 2))
    assert (found.positions, found.expected, len(found.seconds)) == ((0, 2), [0, 2], 2)


@pytest.mark.parametrize(
    "body", ["return 1 // x", "return object()", "import os; os._exit(0)"], ids=["raises", "object", "dies"]
)
def test_a_reference_that_cannot_judge_is_a_fault_of_the_tests(measured: Any, body: str) -> None:
    with pytest.raises(TestsFault, match="the reference"):
        measured(by(f"def f(x):\n    {body}", 0))
