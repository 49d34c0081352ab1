"""Tests made ready once for all programs of a problem: compiled, names found, expected results known."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from codesample.execution.wire import codec
from codesample.execution.worker.remote import brief, said
from codesample.execution.worker.run_calls import Called
from codesample.execution.worker.spawner import HarnessFault
from codesample.execution.worker.wanted_names import wanted_names
from codesample.records import Status, Tests

__all__ = ["Prepared", "TestsFault", "prepare"]

_TIMES_THE_REFERENCE = 4.0

RunReference = Callable[[str, str, list[Any]], Called]


class TestsFault(HarnessFault):
    """The tests can judge no program; to try again on a fresh zygote would not help."""

    # pytest would collect a class of this name
    __test__ = False


@dataclass(slots=True)
class Prepared:
    """Compiled tests of one problem.

    Attributes:
        tests: Where they came from.
        stub, body: Compiled `Tests.stub` and `Tests.source`.
        checks: Compiled `Tests.checks`.
        names: Names that the program must supply, the entry point first.
        modules: Standard modules that the tests use without importing them.
        inputs: Those of `Tests.inputs` to which the reference has an answer within the limits.
        inputs_json: `inputs` encoded.
        expected: What the reference returned for each of `inputs`.
        left_out: How many of `Tests.inputs` are not in `inputs`.
        least_cpu: CPU seconds that any program is granted: four times what the reference took.
        accept: The function of `Tests.oracle`, if there is one.
    """

    tests: Tests
    stub: CodeType
    body: CodeType
    checks: list[CodeType]
    names: tuple[str, ...]
    modules: dict[str, Any]
    inputs: list[tuple[Any, ...]] = field(default_factory=list)
    inputs_json: bytes = b"[]"
    expected: list[Any] = field(default_factory=list)
    left_out: int = 0
    least_cpu: float = 0.0
    accept: Callable[[Any, Any, Any], Any] | None = None

    def namespace(self) -> dict[str, Any]:
        """Return fresh globals in which the stub has run; raises TestsFault where it fails."""
        names: dict[str, Any] = {"__name__": "tests", **self.modules}
        try:
            exec(self.stub, names)
        except Exception as error:
            raise TestsFault(f"the stub of the tests fails: {said(error)}") from None
        return names


def prepare(tests: Tests, run_reference: RunReference) -> Prepared:
    """Compile `tests`, find the names they need, and learn the expected results.

    Args:
        tests: Trusted, unless their mode is "in_process": those are not looked into here.
        run_reference: Calls the entry point of a source on argument lists, confined as programs are.

    Raises:
        TestsFault: the tests are no Python or test nothing, or the reference fails on its own inputs or
            returns what is not plain data.
        HarnessFault: the sandbox failed.
    """
    if tests.mode == "in_process" and not (tests.source.strip() or tests.checks):
        raise TestsFault("the tests are empty")
    trusted = tests if tests.mode == "split" else Tests(checks=("",) * len(tests.checks))
    try:
        stub = compile(trusted.stub, "<stub>", "exec")
        body = compile(trusted.source, "<tests>", "exec")
        checks = [compile(check, "<check>", "exec") for check in trusted.checks]
        wanted = wanted_names("\n".join((trusted.stub, trusted.source, *trusted.checks)), tests.entry_point)
    except (SyntaxError, ValueError) as error:
        raise TestsFault(f"the tests are not valid Python: {error}") from None
    try:
        modules = {name: importlib.import_module(name) for name in wanted.modules}
    except ImportError as error:
        raise TestsFault(f"the tests need a module that is not here: {error}") from None
    prepared = Prepared(tests, stub, body, checks, wanted.program, modules)
    if tests.inputs is not None:
        _learn_expected(prepared, tests.inputs, run_reference)
    if tests.oracle is not None:
        prepared.accept = _oracle(prepared, tests.oracle)
    return prepared


def _learn_expected(
    prepared: Prepared, inputs: tuple[tuple[Any, ...], ...], run_reference: RunReference
) -> None:
    """Keep the inputs that the reference answers with a value; others could be passed by nobody."""
    tests = prepared.tests
    called = run_reference(tests.reference or "", tests.entry_point or "", list(inputs))
    for arguments, reading in zip(inputs, called.readings, strict=True):
        if reading.status in (Status.ERROR, Status.UNSUPPORTED_VALUE):
            # two objects of two processes cannot be compared, and what is left out is judged by nobody
            raise TestsFault(f"the reference fails on its own input {brief(arguments)}: {reading.detail}")
        if reading.status is Status.PASSED:
            prepared.inputs.append(arguments)
            prepared.expected.append(reading.value)
    if not prepared.inputs:
        raise TestsFault(f"the reference answers none of its inputs: {called.readings[0].detail}")
    prepared.left_out = len(inputs) - len(prepared.inputs)
    prepared.inputs_json = codec.encode(prepared.inputs)
    prepared.least_cpu = _TIMES_THE_REFERENCE * called.cpu_seconds


def _oracle(prepared: Prepared, source: str) -> Callable[[Any, Any, Any], Any]:
    names = prepared.namespace()
    try:
        exec(compile(source, "<oracle>", "exec"), names)
        return names["accept"]
    except Exception as error:
        raise TestsFault(f"the oracle does not define accept(): {said(error)}") from None
