"""Run a program's function on given inputs and bring back what it returned, with no tests at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codesample.execution import codec
from codesample.execution.judging import PROGRAM_MODULE, said
from codesample.execution.prepared import SEED
from codesample.execution.proxy import Handle, Remote
from codesample.execution.session import ProgramStopped, Session
from codesample.records import Status

__all__ = ["run_calls"]

_MAX_PROCESSES = 3


def run_calls(
    start: Callable[[], Session], source: str, entry_point: str, inputs: list[Any]
) -> list[list[Any]]:
    """Call `entry_point` once for each argument list.

    A call that ends the process (a time-out, a crash) costs that input alone: the rest go on in a fresh
    process, until the third one has ended so.

    Returns: [status, value, detail] for each input.

    Raises:
        HarnessFault: the sandbox failed.
    """
    outcomes: list[list[Any]] = []
    for _ in range(_MAX_PROCESSES):
        session = start()
        before = len(outcomes)
        loaded, ending = _run_some(Remote(session), source, entry_point, inputs[before:], outcomes)
        session.close()
        if ending is None:
            return outcomes
        if not loaded:
            break
        outcomes.append(ending)
    return outcomes + [ending] * (len(inputs) - len(outcomes))


def _run_some(
    remote: Remote, source: str, entry_point: str, inputs: list[Any], outcomes: list[list[Any]]
) -> tuple[bool, list[Any] | None]:
    """Append outcomes until the process ends; return whether it got to the calls, and what ended it."""
    loaded = False
    try:
        function = remote.perform("load", source, PROGRAM_MODULE, [entry_point], SEED).get(entry_point)
        if type(function) is not Handle:
            return False, _outcome(Status.ERROR, f"NameError: the program does not define {entry_point!r}")
        loaded = True
        for reply in remote.batch(function, codec.encode(inputs), len(inputs), part_bytes=0):
            outcomes.append(_collect(remote, reply))
    except ProgramStopped as stopped:
        return loaded, _outcome(stopped.status, stopped.detail)
    except Exception as error:
        return False, _outcome(Status.ERROR, said(error))
    return True, None


def _collect(remote: Remote, reply: list[Any]) -> list[Any]:
    """Return the outcome of one call whose process lives on."""
    reading = remote.read(reply)
    try:
        codec.encode(reading.value)
    except codec.CodecError as error:
        return _outcome(Status.UNSUPPORTED_VALUE, str(error))
    return [reading.status.value, reading.value, reading.detail]


def _outcome(status: Status, detail: str) -> list[Any]:
    return [status.value, None, detail]
