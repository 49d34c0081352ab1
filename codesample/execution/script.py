"""Judge stdin/stdout programs: their output is compared only once they are dead."""

from __future__ import annotations

import os
from typing import Any

from codesample.execution.judging import Finding
from codesample.execution.limits import Limits
from codesample.execution.proxy import SEED, Remote, said
from codesample.execution.session import ProgramStopped, Session
from codesample.execution.spawner import Spawner, Usage
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
    null = os.open(os.devnull, os.O_WRONLY)
    reader, writer = os.pipe()
    stdin = _readable(text)
    try:
        session = Session(spawner, limits, caller=caller, streams=(stdin, writer, null), output=reader)
    finally:
        for descriptor in (null, writer, stdin):
            os.close(descriptor)
    try:
        finding = _run(Remote(session), source)
        wall = session.wall_seconds
        usage = session.close()
        try:
            session.read_output()
        except ProgramStopped as stopped:
            finding = Finding(stopped.status, stopped.detail)
    finally:
        os.close(reader)
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
    if code != 0:
        return Finding(Status.ERROR, f"exit status {code}")
    return Finding(Status.PASSED)


def _readable(text: str) -> int:
    """Return a descriptor that reads `text` and can be written by nobody."""
    draft = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(draft), "wb") as file:
            file.write(text.encode())
        return os.open(f"/proc/self/fd/{draft}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(draft)


def same_output(got: bytes, expected: str) -> bool:
    """Compare line by line, without blanks at the ends of lines and empty lines at the end."""
    return _lines(got.decode(errors="replace")) == _lines(expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]
