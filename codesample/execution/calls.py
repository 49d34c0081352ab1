"""Run a program's function on given inputs and bring back what it returned, with no tests at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from codesample.execution import codec
from codesample.execution.proxy import PROGRAM_MODULE, SEED, Handle, Reading, Remote, said
from codesample.execution.session import ProgramStopped, Session
from codesample.records import Status

__all__ = ["MAX_PROCESSES", "Called", "run_calls"]

MAX_PROCESSES = 3


@dataclass(frozen=True, slots=True)
class Called:
    """What the calls came to, one reading for each, and the CPU seconds of all processes together."""

    readings: list[Reading]
    cpu_seconds: float


def run_calls(
    start: Callable[[], Session], source: str, entry_point: str, inputs: list[tuple[Any, ...]]
) -> Called:
    """Call `entry_point` once for each argument list.

    A call that ends the process (a time-out, a crash) costs that input alone: the rest go on in a fresh
    process, until the third one has ended so. A value that cannot cross is a `Handle` of no further use.

    Raises:
        HarnessFault: the sandbox failed.
    """
    readings: list[Reading] = []
    cpu_seconds = 0.0
    for _ in range(MAX_PROCESSES):
        session = start()
        loaded, ending = _run_some(Remote(session), source, entry_point, inputs[len(readings) :], readings)
        cpu_seconds += session.close().cpu_seconds
        if ending is None:
            break
        readings.append(ending)
        if not loaded:
            break
    readings += readings[-1:] * (len(inputs) - len(readings))
    return Called(readings, cpu_seconds)


def _run_some(
    remote: Remote, source: str, entry_point: str, inputs: list[tuple[Any, ...]], readings: list[Reading]
) -> tuple[bool, Reading | None]:
    """Append readings until the process ends; return whether it got to the calls, and what ended it."""
    loaded = False
    try:
        names = remote.perform("load", source, PROGRAM_MODULE, [entry_point], SEED)
        function = names.get(entry_point) if type(names) is dict else None
        if type(function) is not Handle:
            return False, Reading(
                Status.ERROR, detail=f"NameError: the program does not define {entry_point!r}"
            )
        loaded = True
        for reply in remote.batch(function, codec.encode(inputs), len(inputs), part_bytes=0):
            readings.append(remote.read(reply))
    except ProgramStopped as stopped:
        return loaded, Reading(stopped.status, detail=stopped.detail)
    except Exception as error:
        return False, Reading(Status.ERROR, detail=said(error))
    return True, None
