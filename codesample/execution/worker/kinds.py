"""Which module judges which kind of tests: the one place where kinds are told apart in a worker.

A kind is a record in `codesample.records.tests`, its name in `wire/messages.py`, a module here that makes
such tests ready and judges programs by them, and its line in `prepare`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from codesample.execution.limits import Limits
from codesample.execution.wire.messages import digest
from codesample.execution.worker.beside_tests import prepare_beside
from codesample.execution.worker.checklist import Judged, Once, Start, here
from codesample.execution.worker.code_tests import prepare_code
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.form import Form, form_of
from codesample.execution.worker.input_tests import prepare_inputs
from codesample.execution.worker.measured import Measured
from codesample.execution.worker.script_tests import prepare_script
from codesample.records import CodeTests, InputTests, ScriptTests, Tests

__all__ = ["Prepared", "prepare"]

_FORMS_KEPT = 4_096


class Prepared(Protocol):
    """Tests made ready once for all programs of a problem."""

    @property
    def tests(self) -> Tests:
        """Where they came from."""
        ...

    @property
    def integrity(self) -> str:
        """Of verdicts, as `codesample.records.Verdict` has it."""
        ...

    @property
    def alone(self) -> bool:
        """Whether they may change the interpreter they run in, so that to judge once needs its own."""
        ...

    def judge(self, source: str, limits: Limits, start: Start, once: Once = here) -> Judged:
        """Judge one program.

        Args:
            source: The program.
            limits: For each process of it.
            start: Makes a confined process.
            once: Called for each time that the program, or their reference, is judged.

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
        tests: Trusted, unless their mode is "in_process": those are not looked into here. Their own text
            decides the form where their mode is "auto"; no program has a say in it.
        learn: Finds out what the reference of tests by inputs returns, or knows it.

    Raises:
        TestsFault: the tests can judge no program.
        HarnessFault: the sandbox failed.
    """
    match tests:
        case CodeTests(mode="in_process"):
            return prepare_beside(tests, trusted=False)
        case CodeTests():
            return _prepare_code(tests)
        case InputTests():
            given = tests.expected
            return prepare_inputs(tests, learn(tests) if given is None else Measured.stated(given))
        case ScriptTests():
            return prepare_script(tests)
    raise TestsFault(f"no module of this worker judges {type(tests).__name__}")


# a worker holds few tests made ready, and reads them anew when a problem comes back; not their texts, for
# those may be large
_forms: dict[str, Form] = {}


def _form_of(tests: CodeTests) -> Form:
    texts = (tests.entry_point or "", tests.stub, tests.source, *tests.checks)
    key = digest(*(text.encode("utf-8", "surrogatepass") for text in texts))
    if (known := _forms.get(key)) is None:
        known = _forms[key] = form_of(tests)
        if len(_forms) > _FORMS_KEPT:
            del _forms[next(iter(_forms))]
    return known


def _prepare_code(tests: CodeTests) -> Prepared:
    try:
        form = _form_of(tests)
    except (SyntaxError, ValueError) as error:
        raise TestsFault(f"the tests are not valid Python: {error}") from None
    if form.split or tests.mode == "split":
        return prepare_code(tests, alone=not form.harmless)
    return prepare_beside(tests, trusted=True)
