"""Judge stdin/stdout programs: their output is compared only once they are dead."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import FileIO
from typing import Any, ClassVar, NamedTuple

from codesample.execution.limits import WALL_PER_CPU_SECOND, Limits
from codesample.execution.wire.launch import SOURCE_FILE
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.execution.worker.accept import accepting, demand_python
from codesample.execution.worker.capture import Capture
from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks
from codesample.execution.worker.checklist import Checklist, Judged, Once, Start, here
from codesample.execution.worker.compare_output import as_text, same_output
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.faults import Trouble, demand_imports
from codesample.execution.worker.spawner import Usage
from codesample.records import ScriptExample, ScriptTests, Status

__all__ = ["PreparedScript", "prepare_script", "run_case"]

_SHOWN = 200
_TRACEBACK_SHOWN = 800
_ERRORS_KEPT = 1 << 12
_OPEN_TO_ALL = 0o666
_AFTER_FAILURE, _TIMES_A_CASE = 1.0, 4.0
_GOING_ON = frozenset({Status.WRONG, Status.ERROR})

Accept = Callable[[str, str, str], Any]


class Ran(NamedTuple):
    """What came of one case: what is wrong, or None; what the process used; and its wall seconds."""

    trouble: Trouble | None
    usage: Usage
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class PreparedScript:
    """Cases, and what says whether a case's output is right."""

    tests: ScriptTests

    integrity: ClassVar[str] = "io"

    @property
    def alone(self) -> bool:
        """See `kinds.Prepared`."""
        # a checker may change what it runs in, and may keep something from one output to the next
        return self.tests.checker is not None

    def judge(self, source: str, limits: Limits, start: Start, once: Once = here) -> Judged:
        """Judge a program; see `kinds.Prepared`."""
        return once(lambda: self._judge(source, limits, start))

    def _judge(self, source: str, limits: Limits, start: Start) -> Judged:
        """Run the cases, and judge each by its output.

        Each case has the limits of one program. After the first failure a case may take one CPU second, or
        four times the most that a case took before it, if that is more; one that takes longer ends the
        checks, and what is not reached by then counts as failed.
        """
        usages: list[Usage] = []
        wall_seconds = 0.0
        accept = self._accepting()
        checklist = Checklist(len(self.tests.cases))
        for case in self.tests.cases:
            allowed = limits
            if checklist.failed:
                most = max(_AFTER_FAILURE, _TIMES_A_CASE * max(each.cpu_seconds for each in usages))
                allowed = replace(
                    limits,
                    cpu_seconds=min(limits.cpu_seconds, most),
                    wall_seconds=min(limits.wall, most * WALL_PER_CPU_SECOND),
                )
            trouble, usage, wall = run_case(start, allowed, source, case, accept)
            usages.append(usage)
            wall_seconds += wall
            if trouble is not None and trouble.status not in _GOING_ON:
                checklist.end(trouble)
                break
            checklist.add(trouble)
            checklist.decide()
        return Judged(checklist.finding(), usages, wall_seconds)

    def _accepting(self) -> Accept:
        tests = self.tests
        if tests.checker is None:
            return partial(_same, atol=tests.atol, rtol=tests.rtol)
        return partial(_accepted, accepting(tests.checker, "checker"))


def prepare_script(tests: ScriptTests) -> PreparedScript:
    """Make the comparison ready.

    Raises:
        TestsFault: the checker is no Python.
    """
    if tests.checker is not None:
        demand_python(tests.checker, "checker")
    return PreparedScript(tests)


def run_case(start: Start, limits: Limits, source: str, case: ScriptExample, accept: Accept) -> Ran:
    """Run a program as a script on one input, and judge how it ended and what it printed.

    It may print `limits.output_bytes` beyond the expected output.

    Raises:
        TestsFault: `accept` cannot judge any program.
        HarnessFault: the sandbox failed.
    """
    most = len(case.output.encode(errors="surrogatepass")) + limits.output_bytes
    with _started(start, limits, source, case.input, most) as (exchange, printed, errors):
        try:
            trouble = _trouble_of_end(exchange.finish(), errors, limits)
        except ProgramStopped as stopped:
            trouble = Trouble(stopped.status, stopped.detail)
        finally:
            wall = exchange.wall_seconds
            usage = exchange.close()
    if trouble is None:
        trouble = _trouble_of_output(case, as_text(bytes(printed.data)), accept, limits.check_seconds)
    return Ran(trouble, usage, wall)


@contextlib.contextmanager
def _started(
    start: Start, limits: Limits, source: str, text: str, most: int
) -> Iterator[tuple[Exchange, Capture, Capture]]:
    """Start a process that runs `source` on `text`; give its exchange, its output and its errors."""
    with contextlib.ExitStack() as ours:
        with contextlib.ExitStack() as theirs:
            stdin = theirs.enter_context(_readable(text.encode()))
            # what is no text in UTF-8 is for Python to refuse
            program = theirs.enter_context(_readable(source.encode(errors="surrogatepass")))
            printed, stdout = _pipe(ours, theirs)
            errors, stderr = _pipe(ours, theirs)
            captures = (Capture(printed, most), Capture(errors, _ERRORS_KEPT, last=True))
            streams = (stdin.fileno(), stdout, stderr, program.fileno())
            exchange = start(limits, streams=streams, captures=captures)
        yield exchange, *captures


def _readable(content: bytes) -> FileIO:
    """Return a file that reads `content` and can be written by nobody."""
    with open(os.memfd_create("stdin", os.MFD_CLOEXEC), "wb") as draft:
        draft.write(content)
        draft.flush()
        return open(f"/proc/self/fd/{draft.fileno()}", "rb", buffering=0)


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    """Return the read end of a pipe, closed with `ours`, and its write end, closed with `theirs`."""
    reader, writer = os.pipe()
    ours.callback(os.close, reader)
    theirs.callback(os.close, writer)
    # the program runs as another user, and may open /dev/stdout
    os.fchmod(writer, _OPEN_TO_ALL)
    return reader, writer


def _trouble_of_end(code: int, errors: Capture, limits: Limits) -> Trouble | None:
    """Say why a process that ended by itself did not end well."""
    if code == 0:
        return None
    text = errors.data.decode(errors="replace").replace(SOURCE_FILE, "<program>").rstrip()
    if text.rpartition("\n")[2].startswith("MemoryError"):
        return Trouble(Status.MEMORY, f"out of memory ({limits.memory} bytes)")
    return Trouble(Status.ERROR, f"exit status {code}\n{text[-_TRACEBACK_SHOWN:]}".rstrip())


def _trouble_of_output(case: ScriptExample, got: str, accept: Accept, seconds: float) -> Trouble | None:
    """Say what is wrong with the output of a process that ended well."""
    try:
        with limited_checks(seconds):
            accepted = accept(case.input, got, case.output)
    except ChecksTimedOut:
        return Trouble(Status.CPU_TIMEOUT, CHECKS_TIMED_OUT)
    if accepted:
        return None
    return Trouble(Status.WRONG, f"printed {got[:_SHOWN]!r}, expected {case.output[:_SHOWN]!r}")


def _same(text: str, got: str, expected: str, *, atol: float, rtol: float) -> bool:
    return same_output(got, expected, atol=atol, rtol=rtol)


def _accepted(check: Accept, text: str, got: str, expected: str) -> bool:
    """Ask a checker; one that cannot read the output does not accept it."""
    try:
        return bool(check(text, got, expected))
    except (Exception, SystemExit) as error:
        demand_imports(error)
        return False
