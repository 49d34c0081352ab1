"""Judge by what a trusted reference returns on the same inputs, or by stated results, in one batch."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, ClassVar, NamedTuple

from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.execution.worker.accept import accepting, demand_python
from codesample.execution.worker.check_limit import curb_checks
from codesample.execution.worker.checklist import (
    Checklist,
    Finding,
    Judged,
    Once,
    Start,
    here,
    judge_process,
    settle,
)
from codesample.execution.worker.compare import same_result
from codesample.execution.worker.faults import Trouble, demand_imports
from codesample.execution.worker.measured import Measured
from codesample.execution.worker.pace import LEAST_SECONDS, allowed
from codesample.execution.worker.readings import Reading, brief
from codesample.execution.worker.remote import PART_BYTES, SEED, Part, Remote
from codesample.execution.worker.stand_ins import Handle
from codesample.records import InputTests, Status

__all__ = ["PreparedInputs", "prepare_inputs"]

_TIMES_THE_REFERENCE = 4.0
_LEAST_AFTER_FAILURE = 1.0
_BEFORE_IN_PART = 0.1
_LEFT_OUT = "{} inputs left out: the reference has no answer within the limits"
_ENDING = frozenset({Status.MEMORY, Status.OUTPUT_LIMIT})
"""What a call may report, in a process that lives on, and is a limit hit all the same."""


Accepts = Callable[[tuple[Any, ...], Any, Any], bool]


class _Batch(NamedTuple):
    """Inputs that are sent together: any number of quick ones, or a single one that takes time.

    Attributes:
        inputs_json: Encoded argument lists.
        size: How many.
        seconds: CPU seconds for any of them.
    """

    inputs_json: bytes
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PreparedInputs:
    """Inputs with expected results.

    Attributes:
        tests: Where they came from.
        positions: Which of `InputTests.inputs` the reference answers within the limits. The others are
            judged by nobody and hold for every program that gets as far.
        batches: The inputs at `positions`, cut so that none hides behind the time of a slower one, and that
            what ends a program in one part of the tests takes no result of the parts before away.
        expected: What the reference returned for each of them, or what the tests state.
        start_seconds: CPU seconds to load the program, and to take up a batch.
        least_cpu: CPU seconds that any program is granted: four times what the reference took.
    """

    tests: InputTests
    positions: tuple[int, ...]
    batches: tuple[_Batch, ...]
    expected: list[Any]
    start_seconds: float
    least_cpu: float

    integrity: ClassVar[str] = "split"

    @property
    def alone(self) -> bool:
        """See `kinds.Prepared`."""
        # an oracle may change what it runs in, and may keep something from one result to the next
        return self.tests.oracle is not None

    def judge(self, source: str, limits: Limits, start: Start, once: Once = here) -> Judged:
        """Judge a program; see `kinds.Prepared`."""
        limits = replace(limits, cpu_seconds=max(limits.cpu_seconds, self.least_cpu))
        return once(
            lambda: judge_process(
                lambda remote: self.find(source, remote, limits.check_seconds), limits, start
            )
        )

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
        remote.exchange.renew(self.start_seconds)
        found = remote.load_or_stop(source, [entry])
        if entry not in found:
            checklist.end(Trouble(Status.ERROR, f"NameError: the program does not define {entry!r}"))
            return
        random.seed(SEED)
        function = found[entry]
        if not isinstance(function, Handle):
            checklist.end(Trouble(Status.ERROR, f"TypeError: {entry} is {brief(function)}, no function"))
            return
        accepts = self._accepting()
        # what comes before the part of the next judged input was got as far as, whatever becomes of that one
        reached = [self._begin_of_part(at) for at in (*self.positions, len(self.tests.inputs))]
        judged = zip(self.positions, self.expected, reached[1:], strict=True)
        checklist.skip_to(reached[0])
        lot = 0
        for part in self._parts(function, remote):
            for reply, (position, wanted, got_to) in zip(part.replies, judged, strict=False):
                checklist.skip_to(position)
                try:
                    trouble = _trouble(accepts, self.tests.inputs[position], wanted, remote.read(reply))
                    if trouble is not None and trouble.status is Status.WRONG and remote.met_opaque:
                        trouble = Trouble(Status.UNSUPPORTED_VALUE, trouble.detail)
                except BaseException:
                    # what breaks or ends the comparison comes after what failed before
                    checklist.decide()
                    raise
                if trouble is not None and trouble.status in _ENDING:
                    checklist.decide()
                    checklist.end(trouble)
                    return
                checklist.add(trouble)
                checklist.skip_to(got_to)
            lot += part.size
            if lot > PART_BYTES:
                checklist.decide()
                lot = 0

    def _parts(self, function: Handle, remote: Remote) -> Iterator[Part]:
        """Call the function batch by batch, and give it time anew with each part that arrives.

        A part leaves the program after 50 ms, so an input that takes longer is the last of its part.
        """
        for batch in self.batches:
            remote.exchange.renew(max(batch.seconds, self.start_seconds))
            for part in remote.batch(function, batch.inputs_json, batch.size):
                remote.exchange.renew(batch.seconds)
                yield part

    def _begin_of_part(self, position: int) -> int:
        """Return where the part of the tests that an input belongs to begins; for their end, that."""
        ends = [0, *self.tests.part_ends.values(), len(self.tests.inputs)]
        return ends[bisect(ends, position) - 1]

    def _accepting(self) -> Accepts:
        """Return what says whether a result will do, given the arguments, the result and the expected one."""
        if self.tests.oracle is None:
            return lambda arguments, got, wanted: same_result(got, wanted, self.tests.atol)
        # made anew, for it may remember something
        accept = accepting(self.tests.oracle, "oracle")

        def accepts(arguments: tuple[Any, ...], got: Any, wanted: Any) -> bool:
            try:
                return bool(accept(arguments, got, wanted))
            except (Exception, SystemExit) as error:
                # an oracle computes with the result, and what it cannot compute with is not right
                demand_imports(error)
                return False

        return accepts


def _trouble(accepts: Accepts, arguments: tuple[Any, ...], wanted: Any, reading: Reading) -> Trouble | None:
    """Say what is wrong with the result of one call; None where nothing is."""
    if reading.raised is not None:
        return Trouble(reading.status, f"{reading.detail}\nwith arguments {brief(arguments)}")
    if reading.status is not Status.PASSED:
        return Trouble(reading.status, reading.detail)
    if accepts(arguments, reading.value, wanted):
        return None
    got = f"got {brief(reading.value)}, expected {brief(wanted)}"
    return Trouble(Status.WRONG, f"{got}\nwith arguments {brief(arguments)}")


def prepare_inputs(tests: InputTests, measured: Measured) -> PreparedInputs:
    """Encode the inputs that the reference answers, and settle how long each may take.

    Args:
        tests: Trusted.
        measured: What came of their reference.

    Raises:
        TestsFault: the oracle is no Python.
    """
    if tests.oracle is not None:
        demand_python(tests.oracle, "oracle")
    return PreparedInputs(
        tests=tests,
        positions=measured.positions,
        batches=tuple(_batches(tests, measured)),
        expected=measured.expected,
        start_seconds=max(allowed(measured.start_seconds), _least(tests)),
        least_cpu=_TIMES_THE_REFERENCE * measured.cpu_seconds,
    )


def _batches(tests: InputTests, measured: Measured) -> Iterator[_Batch]:
    """Yield the inputs in their order: runs of those that have the least time together, others alone."""
    least = _least(tests)
    timed = zip(measured.positions, map(allowed, measured.seconds), strict=True)
    ends = list(tests.part_ends.values())

    def kind(pair: tuple[int, float]) -> tuple[bool, int]:
        return pair[1] <= least, bisect(ends, pair[0])

    for (quick, _), group in groupby(timed, key=kind):
        members = list(group)
        if quick:
            yield _batch(tests, [at for at, _ in members], least + _BEFORE_IN_PART)
        else:
            yield from (_batch(tests, [at], seconds) for at, seconds in members)


def _least(tests: InputTests) -> float:
    return tests.input_limit or LEAST_SECONDS


def _batch(tests: InputTests, positions: list[int], seconds: float) -> _Batch:
    return _Batch(codec.encode([tests.inputs[at] for at in positions]), len(positions), seconds)
