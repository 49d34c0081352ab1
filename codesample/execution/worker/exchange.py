r"""One child as the worker sees it: requests, replies, and the limits that end it.

What crosses for the program `def f(x): return x * x` and the checks `f(2) == 4` and `f(3) == 6`, the
second of which it fails. Values are tagged as in `wire/codec.py`; `{"h":1}` is the program's function.

    caller -> worker   [{"d":[["tests_key","..."],["source","def f(x):\n    return x * x\n"],
                        ["limits",{"d":[["cpu_seconds",10.0],...]}]]},
                        ["CodeTests",{"d":[...["checks",{"t":["assert f(2) == 4","assert f(3) == 6"]}],
                        ["entry_point","f"],["stub",""],["mode","auto"],["reference",null]]}]]
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
    worker -> caller   {"d":[["status","wrong"],
                        ["detail","check 2: assert f(3) == 6\nAssertionError: got 9, expected 6"],
                        ["checks","10"],["cpu_seconds",...],...,["integrity","split"]]}

The request for a child carries the child's end of a socket pair, so the zygote sees neither program nor
tests. The child says that it is confined before it reads the program, or why not and runs nothing. It
never has the tests: the comparison with 4 and 6 happens in the worker. Before the zygote is told to
collect the child, the worker has killed it (status 9, or 0 where it was quicker to end by itself); a
child that ended during an exchange is explained by its status. Tests by inputs send
`["batch",{"h":1},[inputs],65536,false]` in place of the calls and receive lists of such replies. A script's
child says that it is confined, and nothing more: it is judged by what it prints and how it ends. Tests by
inputs whose reference was measured before, here or in another session, arrive with what came of it.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from codesample.execution.limits import WALL_PER_CPU_SECOND, Limits
from codesample.execution.wire.channel import Frames, frame
from codesample.execution.worker.capture import Capture
from codesample.execution.worker.ended import CallerGone, ProgramStopped, explained
from codesample.execution.worker.process_use import QueueCredit, cpu_seconds, held_bytes
from codesample.execution.worker.spawner import HarnessFault, Interruption, Spawner, Usage
from codesample.execution.worker.step_times import StepTimes
from codesample.records import Status

__all__ = ["CallerGone", "Exchange", "ProgramStopped"]

_SHORTEST_WAIT = 0.02
_FIRST_LOOK_SECONDS = 0.05
_ALLOCATED_PER_SECOND = 4 << 30
_MEMORY_MARGIN = 32 << 20
_FRAME_MARGIN = 1 << 16
_RECEIVE_BYTES = 1 << 18
_MOST_DIGITS = 20
_LOADED = 1.25


class Exchange:
    """Exchanges messages with one child until it is stopped, and remembers why it was."""

    def __init__(
        self,
        spawner: Spawner,
        limits: Limits,
        *,
        caller: int,
        streams: tuple[int, ...] = (),
        captures: Sequence[Capture] = (),
    ) -> None:
        """Fork the child.

        Args:
            spawner: Makes the child.
            limits: Enforced from here on.
            caller: Descriptor whose hang-up ends all work.
            streams: See `Spawner.fork`.
            captures: Of what the process writes; kept up to date while somebody waits for it.

        Raises:
            HarnessFault: no child could be made.
        """
        self.ended: Interruption | None = None
        """Why no exchange is possible any more."""
        self.usage: Usage | None = None
        self.steps = StepTimes()
        self.loaded = False
        """Whether the machine was busy with other things when time ran out."""
        self._limits = limits
        self._spawner = spawner
        forked = spawner.fork(limits, streams)
        self._pid, self._sock = forked.pid, forked.sock
        self._started = self._looked = time.monotonic()
        # while the tests compute, nobody waits for the program
        self._idle_since: float | None = self._started
        self._idle = 0.0
        self._cores = len(os.sched_getaffinity(0))
        self._frames = Frames(limits.result_bytes + _FRAME_MARGIN)
        self._poll = select.poll()
        self._poll.register(self._sock, select.POLLIN)
        self._poll.register(caller, select.POLLRDHUP)
        self._caller = caller
        self._captures = {capture.descriptor: capture for capture in captures}
        for descriptor in self._captures:
            self._poll.register(descriptor, select.POLLIN)
        self._confined = False
        self._number = 0
        self._cpu = 0.0
        self._memory = 0
        self._credit = QueueCredit(self._pid)
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
            else:
                self._confirm(body)

    def finish(self) -> int:
        """Wait until a process that serves nothing has ended by itself; return its exit status.

        Raises:
            ProgramStopped: a limit was hit, or a signal ended it.
            HarnessFault, CallerGone: as `ask`.
        """
        self._resume()
        while not self._confined:
            if (body := self._next()) is not None:
                self._confirm(body)
            elif not self._read():
                self._wait(select.POLLIN)
        self._poll.unregister(self._sock)
        ended = os.pidfd_open(self._pid)
        self._poll.register(ended, select.POLLIN)
        try:
            while ended not in self._pause():
                pass
        finally:
            os.close(ended)
        self._sock.close()
        self.usage = self._spawner.reap()
        for capture in list(self._captures.values()):
            while self._take(capture):
                pass
        code = os.waitstatus_to_exitcode(self.usage.status)
        if code < 0:
            self.stop(*explained(self.usage, self._limits))
        return code

    def _confirm(self, body: bytes) -> None:
        """Take the first message, which says whether the child is confined."""
        if body != b'["confined"]':
            reason = body[:200].decode(errors="replace")
            self._end(HarnessFault(f"a child could not be confined: {reason}"))
        self._confined = True

    def stop(self, status: Status, detail: str) -> NoReturn:
        """Record why the program cannot go on, and raise it now and at every later exchange."""
        self._end(ProgramStopped(status, detail))

    def _end(self, reason: Interruption) -> NoReturn:
        self.ended = reason
        raise reason

    def used(self) -> float:
        """Return the CPU seconds that the program has used so far."""
        if self.ended is None:
            self._cpu = cpu_seconds(self._pid, self._cpu)
        return self._cpu

    def step(self) -> None:
        """Begin the next step of the tests, which has CPU and wall time of its own."""
        if self.ended is None:
            self.steps.begin(self.used(), self.wall_seconds)
            self._set_next_look()

    def renew(self, cpu_seconds: float) -> None:
        """Let the program use so many CPU seconds, within its limits, before this is called again."""
        if self.ended is None:
            self.steps.renew(self.used(), self.wall_seconds, cpu_seconds)
            self._set_next_look()

    def curb(self, cpu_seconds: float) -> None:
        """Let the program go on for at most so many more CPU seconds, and five times as many on the wall."""
        if self.ended is not None:
            return
        limits = self._limits
        self._limits = replace(
            limits,
            cpu_seconds=min(limits.cpu_seconds, self.used() + cpu_seconds),
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

    @property
    def wall_seconds(self) -> float:
        """Seconds that the tests waited for the program, less those that either waited for a core."""
        return max(0.0, self._waiting_seconds() - self._credit.seconds)

    def _waiting_seconds(self) -> float:
        """Seconds on the clock that the tests waited for the program."""
        now = time.monotonic()
        idle = self._idle + (now - self._idle_since if self._idle_since is not None else 0.0)
        return now - self._started - idle

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
        """Wait until the socket is ready or limits need a look."""
        self._poll.modify(self._sock, events)
        self._pause()

    def _pause(self) -> set[int]:
        """Wait until something is ready or limits need a look; return the descriptors that are.

        Limits are looked at before, never after: what arrived meanwhile is read first, for it was in
        time however late this process gets to it.
        """
        if time.monotonic() >= self._next_look:
            self._look()
        timeout = max(0.0, self._next_look - time.monotonic())
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout * 1000)}
        if self._caller in ready:
            self._end(CallerGone())
        for descriptor in ready & self._captures.keys():
            self._take(self._captures[descriptor])
        return ready

    def _take(self, capture: Capture) -> bool:
        """Read what was written, once; return whether anything was."""
        try:
            came = capture.take()
        except OverflowError as error:
            self.stop(Status.OUTPUT_LIMIT, str(error))
        if capture.ended:
            # it would make every poll return at once
            self._poll.unregister(capture.descriptor)
            del self._captures[capture.descriptor]
        return came

    def _look(self) -> None:
        """Compare use with the limits and settle when to look next."""
        limits = self._limits
        self._looked = time.monotonic()
        wall = self._looked - self._started
        self._cpu = cpu_seconds(self._pid, self._cpu)
        self._memory = held_bytes(self._pid)
        self._credit.look(self._waiting_seconds())
        if self._cpu >= limits.cpu_seconds:
            self._time_out(Status.CPU_TIMEOUT, f"stopped at the limit of {limits.cpu_seconds:g} CPU seconds")
        if wall >= limits.hard_wall:
            self._time_out(Status.WALL_TIMEOUT, f"stopped after {limits.hard_wall:g} seconds on the clock")
        if self.wall_seconds >= limits.wall:
            self._time_out(Status.WALL_TIMEOUT, f"stopped at the limit of {limits.wall:g} wall seconds")
        if late := self.steps.excess(self._cpu, self.wall_seconds):
            self._time_out(*late)
        if self._memory > limits.memory + _MEMORY_MARGIN:
            self.stop(Status.MEMORY, f"stopped at the limit of {limits.memory} bytes")
        self._set_next_look()

    def _set_next_look(self) -> None:
        # no sooner can a limit be hit: CPU time runs at most once per core and second, and memory has to
        # be filled; it is known since the last look alone, which steps may not put off
        limits = self._limits
        now = time.monotonic()
        wait = min(
            (min(limits.cpu_seconds, self.steps.cpu_end) - self._cpu) / self._cores,
            min(limits.wall, self.steps.wall_end) - self.wall_seconds,
            self._started + limits.hard_wall - now,
            self._looked + (limits.memory - self._memory) / _ALLOCATED_PER_SECOND - now,
        )
        self._next_look = max(now + wait, self._looked + _SHORTEST_WAIT)

    def _time_out(self, status: Status, detail: str) -> NoReturn:
        """Stop a program whose time ran out, and note whether others kept it from being quick."""
        busy = os.getloadavg()[0] > _LOADED * self._cores
        self.loaded = busy or self._cpu + self._credit.seconds > _LOADED * max(self._cpu, _SHORTEST_WAIT)
        self.stop(status, detail)

    def _explain_end(self) -> NoReturn:
        """Say why the child ended by itself."""
        self._sock.close()
        self._kill()
        usage = self.usage = self._spawner.reap()
        if not self._confined:
            code = os.waitstatus_to_exitcode(usage.status)
            self._end(HarnessFault(f"a child ended with {code} before it was confined"))
        if self._spawner.ran_out_of_memory():
            self.stop(Status.MEMORY, f"out of memory ({self._limits.memory} bytes)")
        status, detail = explained(usage, self._limits)
        if status is Status.CPU_TIMEOUT:
            self._time_out(status, detail)
        self.stop(status, detail)
