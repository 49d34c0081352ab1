"""Judge stdin/stdout programs: their output is compared only once they are dead."""

from __future__ import annotations

import os
from io import FileIO
from typing import Any

from codesample.execution.limits import Limits
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks
from codesample.execution.worker.exchange import ProgramStopped, Session
from codesample.execution.worker.remote import SEED, Remote, brief, said
from codesample.execution.worker.run_tests import Finding
from codesample.execution.worker.spawner import Spawner, Usage
from codesample.records import Status

__all__ = ["run_case", "same_output"]

_SHOWN = 200


def run_case(
    spawner: Spawner, limits: Limits, source: str, case: tuple[str, str], *, caller: int
) -> tuple[Finding, Usage, float]:
    """Run a program as a script on one (input, expected output) pair.

    Returns: the finding, what the process used, and its wall seconds.

    Raises:
        HarnessFault: the sandbox failed.
    """
    text, expected = case
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0):
        with (
            open(writer, "wb", buffering=0) as stdout,
            open(os.devnull, "wb", buffering=0) as null,
            _readable(text) as stdin,
        ):
            streams = (stdin.fileno(), stdout.fileno(), null.fileno())
            session = Session(spawner, limits, caller=caller, streams=streams, output=reader)
        try:
            with limited_checks(limits.check_seconds):
                finding = _run(Remote(session), source)
        except ChecksTimedOut:
            finding = Finding(Status.CPU_TIMEOUT, CHECKS_TIMED_OUT)
        wall = session.wall_seconds
        usage = session.close()
        try:
            session.read_output()
        except ProgramStopped as stopped:
            finding = Finding(stopped.status, stopped.detail)
    if finding.status is Status.PASSED and not same_output(bytes(session.output), expected):
        shown = bytes(session.output[:_SHOWN]).decode(errors="replace")
        finding = Finding(Status.WRONG, f"printed {shown!r}, expected {expected[:_SHOWN]!r}")
    return finding, usage, wall


def _run(remote: Remote, source: str) -> Finding:
    try:
        code: Any = remote.perform("script", source, SEED)
    except ProgramStopped as stopped:
        return Finding(stopped.status, stopped.detail)
    except Exception as error:
        return Finding(Status.ERROR, said(error))
    if type(code) is not int:
        return Finding(Status.CRASHED, "the program sent something that is not a reply")
    if code != 0:
        return Finding(Status.ERROR, f"exit status {brief(code)}")
    return Finding(Status.PASSED)


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
