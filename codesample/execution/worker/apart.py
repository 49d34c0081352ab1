"""Work in a forked process of the worker: for tests that may change the interpreter they run in.

The fork starts with what the worker has ready and takes all changes with it: patched modules, alarms,
threads, handlers. Where it judges, it speaks to the program's child itself, and hands back one finding.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from codesample.execution.isolation import linux
from codesample.execution.limits import Limits
from codesample.execution.wire import codec
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.execution.worker.checklist import Finding, Judged
from codesample.execution.worker.exchange import CallerGone
from codesample.execution.worker.faults import TestsFault
from codesample.execution.worker.process_use import cpu_seconds
from codesample.execution.worker.readings import shown
from codesample.execution.worker.spawner import HarnessFault, Usage
from codesample.records import Status

__all__ = ["found_apart", "judge_apart"]

_MARGIN_SECONDS = 2.0
_LOOK_SECONDS = 0.25
_MAX_READ = 1 << 16


def judge_apart(judge: Callable[[], Judged], limits: Limits, *, caller: int, checks: int) -> Judged:
    """Call `judge` in a forked process, and end that whatever it did.

    Args:
        judge: Judges one program; it may start a child of a zygote that runs already.
        limits: Of the program, and of what its tests may take.
        caller: Descriptor whose hang-up ends all work.
        checks: How many results a finding has.

    Raises:
        TestsFault, HarnessFault: as `judge`, and HarnessFault where the process ended without a finding.
        CallerGone: nobody waits for the verdict any more.
    """
    pid, reader = _fork(lambda: _as_reply(judge()))
    try:
        said, status = _listen(reader, pid, limits, caller)
    finally:
        os.close(reader)
        ended_by = _end(pid)
    if not said and ended_by == -signal.SIGXCPU:
        # inside of one call into C, which no handler of signals interrupts
        status = Status.CPU_TIMEOUT
    if status is not None:
        return Judged(Finding(status, CHECKS_TIMED_OUT, (False,) * checks), [], 0.0)
    if not said:
        raise HarnessFault("the tests ended the process that they ran in")
    match codec.decode(said, trusted=True):
        case ["judged", name, detail, held, usages, *times]:
            finding = Finding(Status(name), detail, tuple(held))
            return Judged(finding, [Usage(*usage) for usage in usages], *times)
        case ["tests", reason]:
            raise TestsFault(reason)
        case ["harness", reason]:
            raise HarnessFault(reason)
    raise CallerGone


def found_apart(find: Callable[[], Any]) -> Any:
    """Return the plain data that `find` returns in a forked process, which nobody ends but itself.

    Raises:
        TestsFault: as `find`.
        HarnessFault: the process was ended, by `find` or from outside.
    """
    pid, reader = _fork(lambda: ["found", find()])
    with open(reader, "rb") as told:
        said = told.read()
    os.waitpid(pid, 0)
    match codec.decode(said, trusted=True) if said else None:
        case ["found", found]:
            return found
        case ["tests", reason]:
            raise TestsFault(reason)
    raise HarnessFault("the process ended in which the tests were made ready")


def _as_reply(judged: Judged) -> list[Any]:
    finding = judged.finding
    return [
        *("judged", finding.status.value, shown(finding.detail), list(finding.checks)),
        [[each.status, each.cpu_seconds, each.peak_memory] for each in judged.usages],
        *(judged.wall_seconds, judged.steps, judged.overran, judged.loaded),
    ]


def _fork(work: Callable[[], list[Any]]) -> tuple[int, int]:
    """Fork a process that says what `work` returns, or why it does not; return its id, and where to read."""
    reader, writer = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _work(work, writer, parent)
    os.close(writer)
    return pid, reader


def _work(work: Callable[[], list[Any]], writer: int, parent: int) -> NoReturn:
    try:
        linux.die_with_parent(parent)
        # it would be the worker's last words
        faulthandler.unregister(signal.SIGXCPU)
        # nobody reads what tests print, and it would grow
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            reply = work()
        except TestsFault as fault:
            reply = ["tests", shown(str(fault))]
        except HarnessFault as fault:
            reply = ["harness", shown(str(fault))]
        except CallerGone:
            reply = ["caller"]
        body = memoryview(codec.encode(reply))
        while body:
            body = body[os.write(writer, body) :]
    finally:
        os._exit(0)


def _listen(reader: int, pid: int, limits: Limits, caller: int) -> tuple[bytes, Status | None]:
    """Return what the process says before it ends, or the limit that its tests hit."""
    said = b""
    # the program's own limits are looked after in there
    deadline = time.monotonic() + limits.hard_wall + _MARGIN_SECONDS
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(caller, select.POLLRDHUP)
    while True:
        for descriptor, _ in poll.poll(_LOOK_SECONDS * 1000):
            if descriptor == caller:
                raise CallerGone
            part = os.read(reader, _MAX_READ)
            if not part:
                return said, None
            said += part
        if cpu_seconds(pid, 0.0) > limits.check_seconds + _MARGIN_SECONDS:
            return b"", Status.CPU_TIMEOUT
        if time.monotonic() > deadline:
            return b"", Status.WALL_TIMEOUT


def _end(pid: int) -> int:
    """End the process and return its exit code: a signal, negative, where one ended it."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
