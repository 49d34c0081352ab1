"""Judge stdin/stdout programs: their output is compared only once they are dead."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from io import FileIO
from typing import Any

from codesample.execution.limits import WALL_PER_CPU_SECOND, Limits
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks
from codesample.execution.worker.checklist import Checklist, Judged, Start
from codesample.execution.worker.exchange import ProgramStopped
from codesample.execution.worker.faults import Trouble
from codesample.execution.worker.raised import said
from codesample.execution.worker.readings import brief
from codesample.execution.worker.remote import SEED, Remote
from codesample.execution.worker.spawner import Usage
from codesample.records import ScriptExample, ScriptTests, Status

__all__ = ["PreparedScript", "run_case", "same_output"]

_SHOWN = 200
_AFTER_FAILURE, _TIMES_A_CASE = 1.0, 4.0
_GOING_ON = frozenset({Status.WRONG, Status.ERROR})


@dataclass(frozen=True, slots=True)
class PreparedScript:
    """Cases as they came; there is nothing to make ready."""

    tests: ScriptTests

    @property
    def alone(self) -> bool:
        """See `kinds.Prepared`."""
        return False

    def judge(self, source: str, limits: Limits, start: Start) -> Judged:
        """Judge a program; see `kinds.Prepared`.

        Each case has the limits of one program. After the first failure a case may take one CPU second, or
        four times the most that a case took before it, if that is more; one that takes longer ends the
        checks, and what is not reached by then counts as failed.
        """
        usages: list[Usage] = []
        wall_seconds = 0.0
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
            trouble, usage, wall = run_case(start, allowed, source, case)
            usages.append(usage)
            wall_seconds += wall
            if trouble is not None and trouble.status not in _GOING_ON:
                checklist.end(trouble)
                break
            checklist.add(trouble)
            checklist.decide()
        return Judged(checklist.finding(), usages, wall_seconds, "io")


def run_case(
    start: Start, limits: Limits, source: str, case: ScriptExample
) -> tuple[Trouble | None, Usage, float]:
    """Run a program as a script on one input.

    Returns: what is wrong, or None; what the process used; and its wall seconds.

    Raises:
        HarnessFault: the sandbox failed.
    """
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0):
        with (
            open(writer, "wb", buffering=0) as stdout,
            open(os.devnull, "wb", buffering=0) as null,
            _readable(case.input) as stdin,
        ):
            streams = (stdin.fileno(), stdout.fileno(), null.fileno())
            exchange = start(limits, streams=streams, output=reader)
        try:
            with limited_checks(limits.check_seconds):
                trouble = _run(Remote(exchange), source)
        except ChecksTimedOut:
            trouble = Trouble(Status.CPU_TIMEOUT, CHECKS_TIMED_OUT)
        wall = exchange.wall_seconds
        usage = exchange.close()
        try:
            exchange.read_output()
        except ProgramStopped as stopped:
            trouble = Trouble(stopped.status, stopped.detail)
    if trouble is None and not same_output(bytes(exchange.output), case.output):
        shown = bytes(exchange.output[:_SHOWN]).decode(errors="replace")
        trouble = Trouble(Status.WRONG, f"printed {shown!r}, expected {case.output[:_SHOWN]!r}")
    return trouble, usage, wall


def _run(remote: Remote, source: str) -> Trouble | None:
    try:
        code: Any = remote.perform("script", source, SEED)
    except ProgramStopped as stopped:
        return Trouble(stopped.status, stopped.detail)
    except Exception as error:
        return Trouble(Status.ERROR, said(error))
    if type(code) is not int:
        return Trouble(Status.CRASHED, "the program sent something that is not a reply")
    if code != 0:
        return Trouble(Status.ERROR, f"exit status {brief(code)}")
    return None


def _readable(text: str) -> FileIO:
    """Return a file that reads `text` and can be written by nobody."""
    with open(os.memfd_create("stdin", os.MFD_CLOEXEC), "wb") as draft:
        draft.write(text.encode())
        draft.flush()
        return open(f"/proc/self/fd/{draft.fileno()}", "rb", buffering=0)


def same_output(got: bytes, expected: str) -> bool:
    """Compare line by line, without blanks at the ends of lines and empty lines at the end."""
    return _lines(got.decode(errors="replace")) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
