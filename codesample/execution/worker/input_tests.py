"""Judge by what a trusted reference returns on the same inputs, all of them called in one batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.execution.worker.accept import accepting
from codesample.execution.worker.check_limit import curb_checks
from codesample.execution.worker.checklist import Checklist, Finding, Judged, Start, judge_process, settle
from codesample.execution.worker.compare import same_result
from codesample.execution.worker.faults import TestsFault, Trouble, demand_imports
from codesample.execution.worker.readings import brief
from codesample.execution.worker.remote import PART_BYTES, SEED, Remote
from codesample.execution.worker.run_calls import Called
from codesample.execution.worker.stand_ins import Handle
from codesample.records import InputTests, Status

__all__ = ["PreparedInputs", "RunReference", "prepare_inputs"]

_TIMES_THE_REFERENCE = 4.0
_LEAST_AFTER_FAILURE = 1.0
_LEFT_OUT = "{} inputs left out: the reference has no answer within the limits"
_ENDING = frozenset({Status.MEMORY, Status.OUTPUT_LIMIT})
"""What a call may report, in a process that lives on, and is a limit hit all the same."""

RunReference = Callable[[str, str, list[Any]], Called]


@dataclass(frozen=True, slots=True)
class PreparedInputs:
    """Inputs with expected results.

    Attributes:
        tests: Where they came from.
        positions: Which of `InputTests.inputs` the reference answers within the limits. The others are
            judged by nobody and hold for every program that gets as far.
        inputs_json: The inputs at `positions`, encoded.
        expected: What the reference returned for each of them.
        least_cpu: CPU seconds that any program is granted: four times what the reference took.
        accept: The function of `InputTests.oracle`, if there is one.
    """

    tests: InputTests
    positions: tuple[int, ...]
    inputs_json: bytes
    expected: list[Any]
    least_cpu: float
    accept: Callable[[Any, Any, Any], Any] | None

    @property
    def alone(self) -> bool:
        """See `kinds.Prepared`."""
        return False

    def judge(self, source: str, limits: Limits, start: Start) -> Judged:
        """Judge a program; see `kinds.Prepared`."""
        limits = replace(limits, cpu_seconds=max(limits.cpu_seconds, self.least_cpu))
        return judge_process(lambda remote: self.find(source, remote, limits.check_seconds), limits, start)

    def find(self, source: str, remote: Remote, check_seconds: float) -> Finding:
        """Load a program, call it on every input, and compare results as they come.

        A failure is decided once 64 KiB of results have crossed since the last decision, for in such lots
        a program's status was always told. After that the rest may take one CPU second, or four times what
        the reference took for everything where that is more.

        Raises:
            TestsFault: the oracle cannot judge any program.
            HarnessFault: the sandbox failed.
        """
        more = max(_LEAST_AFTER_FAILURE, self.least_cpu)

        def curb() -> None:
            remote.exchange.curb(more)
            curb_checks(more)

        checklist = Checklist(len(self.tests.inputs), curb)
        finding = settle(checklist, lambda: self._run(source, remote, checklist), check_seconds)
        left_out = len(self.tests.inputs) - len(self.positions)
        if finding.status is Status.PASSED and left_out:
            return replace(finding, detail=_LEFT_OUT.format(left_out))
        return finding

    def _run(self, source: str, remote: Remote, checklist: Checklist) -> None:
        entry = self.tests.entry_point
        found = remote.load_or_stop(source, [entry])
        if entry not in found:
            checklist.end(Trouble(Status.ERROR, f"NameError: the program does not define {entry!r}"))
            return
        random.seed(SEED)
        function = found[entry]
        if not isinstance(function, Handle):
            checklist.end(Trouble(Status.ERROR, f"TypeError: {entry} is {brief(function)}, no function"))
            return
        judged = zip(self.positions, self.expected, strict=True)
        done = lot = 0
        for part in remote.batch(function, self.inputs_json, len(self.positions)):
            for reply, (position, wanted) in zip(part.replies, judged, strict=False):
                while done < position:
                    checklist.add(None)
                    done += 1
                done += 1
                try:
                    trouble = self._trouble(self.tests.inputs[position], wanted, reply, remote)
                except BaseException:
                    # what breaks or ends the comparison comes after what failed before
                    checklist.decide()
                    raise
                if trouble is not None and trouble.status in _ENDING:
                    checklist.decide()
                    checklist.end(trouble)
                    return
                checklist.add(trouble)
            lot += part.size
            if lot > PART_BYTES:
                checklist.decide()
                lot = 0
        for _ in range(done, len(self.tests.inputs)):
            checklist.add(None)

    def _trouble(
        self, arguments: tuple[Any, ...], wanted: Any, reply: list[Any], remote: Remote
    ) -> Trouble | None:
        """Say what is wrong with the result of one call; None where nothing is."""
        reading = remote.read(reply)
        if reading.raised is not None:
            return Trouble(reading.status, f"{reading.detail}\nwith arguments {brief(arguments)}")
        if reading.status is not Status.PASSED:
            return Trouble(reading.status, reading.detail)
        if self._accepts(arguments, reading.value, wanted):
            return None
        status = Status.UNSUPPORTED_VALUE if remote.met_opaque else Status.WRONG
        got = f"got {brief(reading.value)}, expected {brief(wanted)}"
        return Trouble(status, f"{got}\nwith arguments {brief(arguments)}")

    def _accepts(self, arguments: tuple[Any, ...], got: Any, wanted: Any) -> bool:
        if self.accept is None:
            return same_result(got, wanted, self.tests.atol)
        try:
            return bool(self.accept(arguments, got, wanted))
        except Exception as error:
            # an oracle computes with the result, and what it cannot compute with is not right
            demand_imports(error)
            return False


def prepare_inputs(tests: InputTests, run_reference: RunReference) -> PreparedInputs:
    """Learn the expected results, and keep the inputs that the reference answers with a value.

    Args:
        tests: Trusted.
        run_reference: Calls the entry point of a source on argument lists, confined as programs are.

    Raises:
        TestsFault: the reference fails on its own inputs or returns what is not plain data, or the oracle
            defines no `accept`.
        HarnessFault: the sandbox failed.
    """
    called = run_reference(tests.reference, tests.entry_point, list(tests.inputs))
    for arguments, reading in zip(tests.inputs, called.readings, strict=True):
        if reading.status in (Status.ERROR, Status.UNSUPPORTED_VALUE):
            # two objects of two processes cannot be compared, and what is left out is judged by nobody
            raise TestsFault(f"the reference fails on its own input {brief(arguments)}: {reading.detail}")
    answers = {at: each.value for at, each in enumerate(called.readings) if each.status is Status.PASSED}
    if not answers:
        raise TestsFault(f"the reference answers none of its inputs: {called.readings[0].detail}")
    return PreparedInputs(
        tests=tests,
        positions=tuple(answers),
        inputs_json=codec.encode([tests.inputs[at] for at in answers]),
        expected=list(answers.values()),
        least_cpu=_TIMES_THE_REFERENCE * called.cpu_seconds,
        accept=None if tests.oracle is None else accepting(tests.oracle, "oracle"),
    )
