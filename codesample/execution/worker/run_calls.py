"""Run a program's function on given inputs and bring back what it returned, with no tests at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

from codesample.execution.wire import codec
from codesample.execution.wire.messages import CHECKS_TIMED_OUT, MAX_PROCESSES
from codesample.execution.worker.check_limit import ChecksTimedOut, limited_checks
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.raised import said
from codesample.execution.worker.readings import Reading, brief, shown
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.stand_ins import Handle
from codesample.records import Status

__all__ = ["TOO_MUCH", "Called", "pack_reading", "run_calls"]

TOO_MUCH = "the program's results together are too large"


@dataclass(frozen=True, slots=True)
class Called:
    """What the calls came to, one reading for each, and the CPU seconds of all processes together."""

    readings: list[Reading]
    cpu_seconds: float


def run_calls(
    start: Callable[[], Exchange],
    source: str,
    entry_point: str,
    inputs: list[tuple[Any, ...]],
    *,
    check_seconds: float,
    room: float = math.inf,
) -> Called:
    """Call `entry_point` once for each argument list.

    A call that ends the process (a time-out, a crash) costs that input alone: the rest go on in a fresh
    process, until the third one has ended so.

    Args:
        start: Makes a process for the program.
        source, entry_point, inputs: The program, its function, and what to call it with.
        check_seconds: CPU seconds to spend here on what one call returned.
        room: Estimated bytes of memory for all values together; a call beyond them is at an output limit.

    Raises:
        HarnessFault: the sandbox failed.
    """
    readings: list[Reading] = []
    cpu_seconds = 0.0
    for _ in range(MAX_PROCESSES):
        remote = Remote(start())
        rest = inputs[len(readings) :]
        loaded, ending = _run_some(remote, source, entry_point, rest, readings, check_seconds, room)
        cpu_seconds += remote.exchange.close().cpu_seconds
        room -= remote.received
        if ending is None:
            break
        readings.append(ending)
        if not loaded:
            break
    readings += readings[-1:] * (len(inputs) - len(readings))
    return Called(readings, cpu_seconds)


def pack_reading(reading: Reading) -> bytes:
    """Encode a reading; its value by itself, for inside the whole reply it might be too deep.

    What a program's reply held can be deeper than may cross once more; it is then none.
    """
    status, detail = reading.status, reading.detail
    if status is Status.PASSED:
        try:
            return b'["passed",%s,""]' % codec.encode(reading.value)
        except codec.CodecError as error:
            status, detail = Status.UNSUPPORTED_VALUE, str(error)
    return codec.encode([status.value, None, shown(detail)])


def _run_some(
    remote: Remote,
    source: str,
    entry_point: str,
    inputs: list[tuple[Any, ...]],
    readings: list[Reading],
    check_seconds: float,
    room: float,
) -> tuple[bool, Reading | None]:
    """Append readings until the process ends; return whether it got to the calls, and what ended it."""
    loaded = False
    try:
        with limited_checks(check_seconds) as start_again:
            names = remote.load(source, [entry_point])
            if entry_point not in names:
                detail = f"NameError: the program does not define {entry_point!r}"
                return False, Reading(Status.ERROR, detail=detail)
            function = names[entry_point]
            if not isinstance(function, Handle):
                detail = f"TypeError: {entry_point} is {brief(function)}, no function"
                return False, Reading(Status.ERROR, detail=detail)
            loaded, handles = True, remote.handles
            parts = remote.batch(function, codec.encode(inputs), len(inputs), part_bytes=0)
            for reply in chain.from_iterable(part.replies for part in parts):
                reading = remote.read(reply)
                if remote.handles > handles:
                    reading = _plain(reading)
                if remote.received > room:
                    remote.exchange.stop(Status.OUTPUT_LIMIT, TOO_MUCH)
                readings.append(reading)
                start_again()
    except ChecksTimedOut:
        return loaded, Reading(Status.CPU_TIMEOUT, detail=CHECKS_TIMED_OUT)
    except ProgramStopped as stopped:
        return loaded, Reading(stopped.status, detail=stopped.detail)
    except Exception as error:
        return False, Reading(Status.ERROR, detail=said(error))
    return True, None


def _plain(reading: Reading) -> Reading:
    """Return a reading of plain data as it is, and of anything else that it is none."""
    try:
        codec.encode(reading.value, _refuse)
    except codec.CodecError as error:
        return Reading(Status.UNSUPPORTED_VALUE, detail=str(error))
    return reading


def _refuse(handle: Handle) -> NoReturn:
    raise codec.CodecError(f"the program returned a {type(handle).__name__[:40]}, which is not plain data")
