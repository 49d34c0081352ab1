"""Run a program's function on given inputs and bring back what it returned, with no tests at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Called:
    """What the calls came to.

    Attributes:
        readings: One for each.
        seconds: CPU seconds of each, in the program's own words; 0 where not asked for, or not answered.
        start_seconds: Most CPU seconds before the first call of a process; 0 where not asked for.
        cpu_seconds: Of all processes together.
        packs: Whether values are encoded as they come, and kept so alone.
        packed: Where they are, one for each reading; see `pack_reading`.
    """

    packs: bool = False
    readings: list[Reading] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    start_seconds: float = 0.0
    cpu_seconds: float = 0.0
    packed: list[bytes] = field(default_factory=list)

    def add(self, reading: Reading, seconds: float = 0.0) -> None:
        """Record what the next call came to."""
        if self.packs:
            self.packed.append(pack_reading(reading))
            reading = Reading(reading.status, detail=reading.detail)
        self.readings.append(reading)
        self.seconds.append(seconds)


def run_calls(
    start: Callable[[], Exchange],
    source: str,
    entry_point: str,
    inputs: list[tuple[Any, ...]],
    *,
    check_seconds: float,
    room: float = math.inf,
    timed: bool = False,
    packs: bool = False,
) -> Called:
    """Call `entry_point` once for each argument list.

    A call that ends the process (a time-out, a crash) costs that input alone: the rest go on in a fresh
    process, until the third one has ended so.

    Args:
        start: Makes a process for the program.
        source, entry_point, inputs: The program, its function, and what to call it with.
        check_seconds: CPU seconds to spend here on what one call returned.
        room: Estimated bytes of memory for all values together; a call beyond them is at an output limit.
        timed: Whether to ask for the time of each call, which only a trusted program is believed.
        packs: See `Called`. Few bytes may stand for a value that takes for ever to write, so that is done
            within `check_seconds` too.

    Raises:
        HarnessFault: the sandbox failed.
    """
    called = Called(packs)
    for _ in range(MAX_PROCESSES):
        remote = Remote(start())
        rest = inputs[len(called.readings) :]
        loaded, ending = _run_some(remote, source, entry_point, rest, called, check_seconds, room, timed)
        called.cpu_seconds += remote.exchange.close().cpu_seconds
        room -= remote.received
        if ending is None:
            break
        called.add(ending)
        if not loaded:
            break
    for _ in range(len(called.readings), len(inputs)):
        called.add(called.readings[-1])
    return called


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
    called: Called,
    check_seconds: float,
    room: float,
    timed: bool,
) -> tuple[bool, Reading | None]:
    """Add readings until the process ends; return whether it got to the calls, and what ended it."""
    loaded = False
    try:
        with limited_checks(check_seconds) as start_again:
            names = remote.load_or_stop(source, [entry_point])
            if entry_point not in names:
                detail = f"NameError: the program does not define {entry_point!r}"
                return False, Reading(Status.ERROR, detail=detail)
            function = names[entry_point]
            if not isinstance(function, Handle):
                detail = f"TypeError: {entry_point} is {brief(function)}, no function"
                return False, Reading(Status.ERROR, detail=detail)
            loaded, handles = True, remote.handles
            parts = remote.batch(function, codec.encode(inputs), len(inputs), part_bytes=0, timed=timed)
            for number, reply in enumerate(chain.from_iterable(part.replies for part in parts)):
                taken = _time_of(reply, remote) if timed else 0.0
                if timed and number == 0:
                    called.start_seconds = max(called.start_seconds, remote.exchange.used() - taken)
                reading = remote.read(reply)
                if remote.handles > handles:
                    reading = _plain(reading)
                if remote.received > room:
                    remote.exchange.stop(Status.OUTPUT_LIMIT, TOO_MUCH)
                called.add(reading, taken)
                start_again()
    except ChecksTimedOut:
        return loaded, Reading(Status.CPU_TIMEOUT, detail=CHECKS_TIMED_OUT)
    except ProgramStopped as stopped:
        return loaded, Reading(stopped.status, detail=stopped.detail)
    except Exception as error:
        return False, Reading(Status.ERROR, detail=said(error))
    return True, None


def _time_of(reply: list[Any], remote: Remote) -> float:
    """Take off the end of a reply how long it took."""
    taken = reply.pop() if reply else None
    if type(taken) is not float or not 0.0 <= taken < math.inf:
        remote.exchange.stop(Status.CRASHED, "the program sent a reply without its time")
    return taken


def _plain(reading: Reading) -> Reading:
    """Return a reading of plain data as it is, and of anything else that it is none."""
    try:
        codec.encode(reading.value, _refuse)
    except codec.CodecError as error:
        return Reading(Status.UNSUPPORTED_VALUE, detail=str(error))
    return reading


def _refuse(handle: Handle) -> NoReturn:
    raise codec.CodecError(f"the program returned a {type(handle).__name__[:40]}, which is not plain data")
