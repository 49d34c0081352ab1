"""Which module judges which kind of tests: the one place where kinds are told apart in a worker.

A kind is a record in `codesample.records.tests`, its name in `wire/messages.py`, a module here that makes
such tests ready and judges programs by them, and its line in `prepare`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from codesample.execution.limits import Limits
from codesample.execution.worker.beside_tests import PreparedBeside
from codesample.execution.worker.checklist import Judged, Start
from codesample.execution.worker.code_tests import prepare_code
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.input_tests import prepare_inputs
from codesample.execution.worker.measured import Measured
from codesample.execution.worker.pace import pace_of
from codesample.execution.worker.script_tests import PreparedScript
from codesample.records import CodeTests, InputTests, ScriptTests, Tests

__all__ = ["Prepared", "prepare"]


class Prepared(Protocol):
    """Tests made ready once for all programs of a problem."""

    def judge(self, source: str, limits: Limits, start: Start) -> Judged:
        """Judge one program.

        Args:
            source: The program.
            limits: For each process of it.
            start: Makes a confined process.

        Returns: the finding, with one result for each check of the tests.

        Raises:
            TestsFault: the tests cannot judge any program.
            HarnessFault: the sandbox failed.
            CallerGone: nobody waits for the verdict any more.
        """
        ...


def prepare(tests: Tests, learn: Callable[[InputTests], Measured]) -> Prepared:
    """Make tests ready.

    Args:
        tests: Trusted, unless their mode is "in_process": those are not looked into here.
        learn: Finds out what the reference of tests by inputs returns, or knows it.

    Raises:
        TestsFault: the tests can judge no program.
        HarnessFault: the sandbox failed.
    """
    match tests:
        case CodeTests(mode="in_process"):
            return PreparedBeside(tests, pace_of(tests))
        case CodeTests():
            return prepare_code(tests)
        case InputTests():
            return prepare_inputs(tests, learn(tests))
        case ScriptTests():
            return PreparedScript(tests)
    raise TestsFault(f"no module of this worker judges {type(tests).__name__}")
