r"""One child as the worker sees it: requests, replies, and the limits that end it.

What crosses for the program `def f(x): return x * x` and the checks `f(2) == 4` and `f(3) == 6`, the
second of which it fails. Values are tagged as in `wire/codec.py`; `{"h":1}` is the program's function.

    caller -> worker   [{"d":[["tests_key","..."],["source","def f(x):\n    return x * x\n"],
                        ["limits",{"d":[["cpu_seconds",10.0],...]}]]},
                        ["CodeTests",{"d":[...["checks",{"t":["assert f(2) == 4","assert f(3) == 6"]}],
                        ["entry_point","f"],["stub",""],["mode","auto"]]}]]
    worker -> zygote   {"zygote": ..., "cpu_seconds": 10.0, "memory": 536870912, "bounded_space": true,
                        "result_bytes": 16777216}
    zygote -> worker   {"pid": ...}
    worker -> child    ["load","def f(x):\n    return x * x\n","program",["f"],0,["__name__"]]
    child -> worker    ["confined"]
    child -> worker    1 ["value",[{"d":[["f",{"h":[1,"builtins:function","call repr get"]}]]},[]]]
    worker -> child    ["call",{"h":1},{"t":[2]}]
    child -> worker    2 ["value",4]
    worker -> child    ["call",{"h":1},{"t":[3]}]
    child -> worker    3 ["value",9]
    worker -> zygote   {"reap": true}
    zygote -> worker   {"status": ..., "cpu_seconds": ..., "peak_memory": ..., "left": 0}
    worker -> caller   {"d":[["status","wrong"],["detail","AssertionError: "],["checks","10"],
                        ["cpu_seconds",...],["wall_seconds",...],["peak_memory",...],
                        ["integrity","split"]]}

The request for a child carries the child's end of a socket pair, so the zygote sees neither program nor
tests. The child says that it is confined before it reads the program, or why not and runs nothing. It
never has the tests: the comparison with 4 and 6 happens in the worker. Before the zygote is told to
collect the child, the worker has killed it (status 9, or 0 where it was quicker to end by itself); a
child that ended during an exchange is explained by its status. Tests by inputs send
`["batch",{"h":1},[inputs],65536]` once in place of the calls and receive lists of such replies; scripts
send `["script",source,0]` and are judged by what they print.
"""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import replace
from typing import NoReturn

from codesample.execution.child import exit_status
from codesample.execution.limits import WALL_PER_CPU_SECOND, Limits
from codesample.execution.wire.channel import Frames, frame
from codesample.execution.wire.launch import signal_name
from codesample.execution.worker.spawner import HarnessFault, Interruption, Spawner, Usage
from codesample.records import Status

__all__ = ["CallerGone", "Exchange", "ProgramStopped"]

_SHORTEST_WAIT = 0.02
_FIRST_LOOK_SECONDS = 0.05
_MEMORY_LOOK_SECONDS = 0.05
_FRAME_MARGIN = 1 << 16
_RECEIVE_BYTES = 1 << 18
_CPU_SLACK = 0.05
_MOST_DIGITS = 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProgramStopped(Interruption):
    """The program hit a limit, ended, or said what it may not."""

    def __init__(self, status: Status, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class CallerGone(Interruption):
    """Whoever asked for verdicts closed the connection."""


class Exchange:
    """Exchanges messages with one child until it is stopped, and remembers why it was."""

    def __init__(
        self,
        spawner: Spawner,
        limits: Limits,
        *,
        caller: int,
        streams: tuple[int, ...] = (),
        output: int | None = None,
    ) -> None:
        """Fork the child.

        Args:
            spawner: Makes the child.
            limits: Enforced from here on.
            caller: Descriptor whose hang-up ends all work.
            streams: See `Spawner.fork`.
            output: Descriptor to read the program's output from, kept in `self.output`.

        Raises:
            HarnessFault: no child could be made.
        """
        self.ended: Interruption | None = None
        """Why no exchange is possible any more."""
        self.usage: Usage | None = None
        self._limits = limits
        self._spawner = spawner
        forked = spawner.fork(limits, streams)
        self._pid, self._sock = forked.pid, forked.sock
        self._started = time.monotonic()
        # while the tests compute, nobody waits for the program
        self._idle_since: float | None = self._started
        self._idle = 0.0
        self._cores = len(os.sched_getaffinity(0))
        self._frames = Frames(limits.result_bytes + _FRAME_MARGIN)
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._poll.register(caller, select.POLLRDHUP)
        self._caller = caller
        self.output = bytearray()
        self._output_descriptor = output
        if output is not None:
            os.set_blocking(output, False)
            self._poll.register(output, select.POLLIN)
        self._confined = False
        self._number = 0
        self._cpu = self._queued = self._waited = 0.0
        self._own_before: float | None = None
        # most programs have ended by then, at no cost
        self._next_look = self._started + _FIRST_LOOK_SECONDS

    def ask(self, request: bytes) -> bytes:
        """Send one request and return its reply.

        Raises:
            ProgramStopped: a limit was hit, the child ended, or an earlier exchange already failed.
            HarnessFault: the child ended before it was confined.
            CallerGone: nobody waits for the answer any more.
        """
        self.send(request)
        return self.receive()

    def send(self, request: bytes, *, answered: bool = True) -> None:
        """Send one request without waiting for a reply; raises as `ask` does.

        Args:
            request: The message.
            answered: Whether it has replies; they carry its number.
        """
        if self.ended is not None:
            raise self.ended
        self._resume()
        self._number += answered
        data = memoryview(frame(request))
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                # what it says meanwhile is read once it has taken the request
                self._wait(select.POLLOUT)
            except OSError:
                # gone; what it said before is still to be read
                return

    def receive(self, *, numbered: bool = True) -> bytes:
        """Return the next message; raises as `ask` does.

        Args:
            numbered: Whether it carries the number of its request, and is left out if that is an earlier one.
        """
        if self.ended is not None:
            raise self.ended
        self._resume()
        while True:
            body = self._next()
            if body is None and self._read():
                body = self._next()
            if body is None:
                self._wait(select.POLLIN)
            elif self._confined and not numbered:
                self._idle_since = time.monotonic()
                return body
            elif self._confined:
                number, _, reply = body.partition(b" ")
                if number == b"%d" % self._number:
                    self._idle_since = time.monotonic()
                    return reply
                if not number.isdigit() or int(number[:_MOST_DIGITS]) > self._number:
                    self.stop(Status.CRASHED, "the program sent something that is not a reply")
                # to a request that was given up in the middle; a program may send any number of those
                if time.monotonic() >= self._next_look:
                    self._look()
            elif body != b'["confined"]':
                reason = body[:200].decode(errors="replace")
                self._end(HarnessFault(f"a child could not be confined: {reason}"))
            else:
                self._confined = True

    def stop(self, status: Status, detail: str) -> NoReturn:
        """Record why the program cannot go on, and raise it now and at every later exchange."""
        self._end(ProgramStopped(status, detail))

    def _end(self, reason: Interruption) -> NoReturn:
        self.ended = reason
        raise reason

    def curb(self, cpu_seconds: float) -> None:
        """Let the program go on for at most so many more CPU seconds, and five times as many on the wall."""
        if self.ended is not None:
            return
        limits = self._limits
        self._cpu = _cpu_seconds(self._pid, self._cpu)
        self._limits = replace(
            limits,
            cpu_seconds=min(limits.cpu_seconds, self._cpu + cpu_seconds),
            wall_seconds=min(limits.wall, self.wall_seconds + WALL_PER_CPU_SECOND * cpu_seconds),
        )
        self._set_next_look()

    def close(self) -> Usage:
        """Kill and collect the child; return what it used.

        Raises:
            HarnessFault: the zygote broke.
        """
        if self.usage is None:
            self._sock.close()
            self._kill()
            self.usage = self._spawner.reap()
        return self.usage

    def read_output(self) -> None:
        """Take what the program has printed so far; raises ProgramStopped beyond the limit."""
        if self._output_descriptor is None:
            return
        try:
            while part := os.read(self._output_descriptor, _RECEIVE_BYTES):
                self.output += part
                if len(self.output) > self._limits.output_bytes:
                    self.stop(Status.OUTPUT_LIMIT, f"printed more than {self._limits.output_bytes} bytes")
        except BlockingIOError:
            return
        # end of file would otherwise make every poll return at once
        self._poll.unregister(self._output_descriptor)
        self._output_descriptor = None

    @property
    def wall_seconds(self) -> float:
        """Seconds that the tests waited for the program, less those that either waited for a core."""
        now = time.monotonic()
        idle = self._idle + (now - self._idle_since if self._idle_since is not None else 0.0)
        return max(0.0, now - self._started - idle - self._waited)

    def _resume(self) -> None:
        if self._idle_since is not None:
            self._idle += time.monotonic() - self._idle_since
            self._idle_since = None

    def _kill(self) -> None:
        try:
            os.kill(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            raise HarnessFault("a child vanished") from None

    def _next(self) -> bytes | None:
        try:
            return self._frames.next()
        except OverflowError as error:
            self.stop(Status.OUTPUT_LIMIT, str(error))

    def _read(self) -> bool:
        """Take what has arrived; return whether anything has."""
        try:
            data = self._sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._explain_end()
        self._frames.feed(data)
        return True

    def _wait(self, events: int) -> None:
        """Wait until the socket is ready or limits need a look.

        Limits are looked at before, never after: what arrived meanwhile is read first, for it was in
        time however late this process gets to it.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        self._poll.modify(self._sock, events)
        timeout = max(0.0, self._next_look - time.monotonic())
        for descriptor, _ in self._poll.poll(timeout * 1000):
            if descriptor == self._caller:
                self._end(CallerGone())
            if descriptor == self._output_descriptor:
                self.read_output()

    def _look(self) -> None:
        """Compare use with the limits and settle when to look next."""
        limits = self._limits
        wall = time.monotonic() - self._started
        self._cpu = _cpu_seconds(self._pid, self._cpu)
        self._queued = _queue_seconds(self._pid, self._queued)
        own = _queue_seconds(os.getpid(), 0.0)
        self._own_before = own if self._own_before is None else self._own_before
        self._waited = self._queued + own - self._own_before
        if self._cpu >= limits.cpu_seconds:
            self.stop(Status.CPU_TIMEOUT, f"stopped at the limit of {limits.cpu_seconds:g} CPU seconds")
        if wall >= limits.hard_wall:
            self.stop(Status.WALL_TIMEOUT, f"stopped after {limits.hard_wall:g} seconds on the clock")
        if self.wall_seconds >= limits.wall:
            self.stop(Status.WALL_TIMEOUT, f"stopped at the limit of {limits.wall:g} wall seconds")
        if limits.imports and _resident_bytes(self._pid) > limits.memory:
            self.stop(Status.MEMORY, f"stopped at the limit of {limits.memory} bytes")
        self._set_next_look()

    def _set_next_look(self) -> None:
        # no sooner can a limit be hit: CPU time runs at most once per core and second
        limits = self._limits
        now = time.monotonic()
        wall = now - self._started
        wait = min(
            (limits.cpu_seconds - self._cpu) / self._cores,
            limits.wall - self.wall_seconds,
            limits.hard_wall - wall,
        )
        if limits.imports:
            wait = min(wait, _MEMORY_LOOK_SECONDS)
        self._next_look = now + max(wait, _SHORTEST_WAIT)

    def _explain_end(self) -> NoReturn:
        """Say why the child ended by itself."""
        self._sock.close()
        self._kill()
        usage = self.usage = self._spawner.reap()
        if not self._confined:
            code = os.waitstatus_to_exitcode(usage.status)
            self._end(HarnessFault(f"a child ended with {code} before it was confined"))
        self.stop(*_explain(usage, self._limits))


def _explain(usage: Usage, limits: Limits) -> tuple[Status, str]:
    code = os.waitstatus_to_exitcode(usage.status)
    if code == exit_status.MEMORY:
        return Status.MEMORY, f"out of memory ({limits.memory} bytes)"
    if code >= 0:
        return Status.CRASHED, f"the process ended with status {code} before its tests did"
    if usage.cpu_seconds >= limits.cpu_seconds - _CPU_SLACK or -code == signal.SIGXCPU:
        return Status.CPU_TIMEOUT, f"stopped at the limit of {limits.cpu_seconds:g} CPU seconds"
    return Status.CRASHED, f"killed by {signal_name(-code)}"


def _cpu_seconds(pid: int, before: float) -> float:
    """CPU time of all threads of a process; `before` once it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return before


def _queue_seconds(pid: int, before: float) -> float:
    """Time that the threads of a process were ready and had no core; `before` where not to be had."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[1])
    except (OSError, IndexError):
        return before
    return total / 1e9


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0
