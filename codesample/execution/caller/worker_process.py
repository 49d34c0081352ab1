"""One worker process as the scheduler sees it: start, send, read, and what it died of."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from binascii import b2a_base64
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from codesample.execution.wire import codec, launch
from codesample.execution.wire.channel import Frames, frame
from codesample.execution.wire.messages import HELD_TESTS, MAX_MESSAGE

__all__ = ["IN_FLIGHT", "Job", "SentTests", "WorkerProcess"]

IN_FLIGHT = 2
"""Jobs a worker holds: the one it does and the next, so that it never waits for the scheduler."""

_RECEIVE_BYTES = 1 << 18
_LOG_BYTES = 4_000
_EXIT_SECONDS = 5.0
_OUT_OF_TIME = "Stack (most recent call first):"
"""What the handler of SIGXCPU writes first; see `worker.main`."""


@dataclass(slots=True, eq=False)
class SentTests:
    """Tests as a worker gets them; all jobs of a problem share one object.

    Attributes:
        key: Hash of the tests; "" for calls, which have none.
        body: The tests, encoded.
        measured: What is known of their reference, packed by a worker; None until something is.
        cache_key: Under which it is kept from session to session; "" where it is not.
    """

    key: str = ""
    body: bytes = b"null"
    measured: bytes | None = None
    cache_key: str = ""

    def known(self) -> bytes:
        """Return `measured` as it goes to a worker."""
        return b"null" if self.measured is None else b'"%s"' % b2a_base64(self.measured, newline=False)


@dataclass(slots=True, eq=False)
class Job:
    """One unit of work for a worker.

    Attributes:
        key: Hash of everything the result depends on.
        body: The encoded message.
        tests: Sent to a worker that does not hold them; jobs of equal tests share what it prepared.
        seconds: After so long the worker itself is stuck.
        attempts: How many workers have died of it, or with it first in hand.
        first_try: The time limit that it hit on a busy machine, where it was put back for that.
    """

    key: str
    body: bytes
    tests: SentTests
    seconds: float
    attempts: int = 0
    first_try: str = ""
    started: float = field(default=0.0)

    @property
    def tests_key(self) -> str:
        """Hash of the tests."""
        return self.tests.key


class WorkerProcess:
    """A running worker and the jobs it holds, first the one it is doing."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start a worker with `arguments` after its socket's descriptor; raises OSError."""
        launch.hold_standard_descriptors()
        self.sock, theirs = socket.socketpair()
        self.jobs: deque[Job] = deque()
        self.tests_key = ""
        self.ready = False
        """Whether it got as far as its own code."""
        self._broken = False
        self._frames = Frames(MAX_MESSAGE)
        self._outgoing = bytearray()
        self._held: OrderedDict[str, None] = OrderedDict()
        self._log = os.memfd_create("worker", os.MFD_CLOEXEC)
        descriptor = theirs.fileno()
        try:
            self.process: subprocess.Popen[bytes] = launch.start(
                "worker.main", [str(descriptor), *arguments], pass_fds=[descriptor], stderr=self._log
            )
        except OSError:
            self.sock.close()
            os.close(self._log)
            raise
        finally:
            theirs.close()
        self.sock.setblocking(False)

    def give(self, job: Job) -> None:
        """Queue a job for sending, with its tests unless the worker holds them."""
        parts = [job.body, b"null"]
        if job.tests_key:
            if job.tests_key not in self._held:
                parts = [job.body, job.tests.body, job.tests.known()]
            self._held[job.tests_key] = None
            self._held.move_to_end(job.tests_key)
            if len(self._held) > HELD_TESTS:
                self._held.popitem(last=False)
        if not self.jobs:
            job.started = time.monotonic()
        self.jobs.append(job)
        self.tests_key = job.tests_key
        self._outgoing += frame(b"[%s]" % b",".join(parts))
        self.flush()

    def flush(self) -> bool:
        """Send what the socket takes; return whether some is left."""
        try:
            while self._outgoing:
                del self._outgoing[: self.sock.send(self._outgoing)]
        except OSError:
            # full, or the worker died, which reading will tell
            pass
        return bool(self._outgoing)

    def read(self) -> list[tuple[Job, dict[str, Any]]] | None:
        """Return the replies that have arrived, each with its job; None once the worker has died.

        A reply with "measured" comes before the one that ends the job.
        """
        if self._broken:
            return None
        try:
            data = self.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._frames.feed(data)
        done: list[tuple[Job, dict[str, Any]]] = []
        try:
            while (body := self._frames.next()) is not None:
                if not self.ready:
                    self.ready = True
                    continue
                reply = codec.decode(body, trusted=True)
                if "measured" in reply:
                    done.append((self.jobs[0], reply))
                    continue
                done.append((self.jobs.popleft(), reply))
                if self.jobs:
                    self.jobs[0].started = time.monotonic()
        except Exception:
            # a reply that is none; the worker is given up at the next read, its job still in hand
            self._broken = True
            self.hang_up()
        return done

    def hang_up(self) -> None:
        """Tell the worker that nothing more will come."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Let go of a worker that belongs to the process from which this one was forked."""
        with contextlib.suppress(OSError):
            self.sock.close()
        with contextlib.suppress(OSError):
            os.close(self._log)
        # not ours to wait for, nor to warn of
        self.process.returncode = 0

    @property
    def deadline(self) -> float:
        """Monotonic time at which this worker counts as stuck."""
        return self.jobs[0].started + self.jobs[0].seconds if self.jobs else float("inf")

    def end(self, *, stuck: bool) -> str:
        """Collect the process, killing it if it is `stuck`; return its signal or what it said last."""
        self.sock.close()
        if not stuck:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_EXIT_SECONDS)
        code = self.process.poll()
        self.process.kill()
        self.process.wait()
        said = os.pread(self._log, _LOG_BYTES, 0).decode(errors="replace").strip().splitlines()
        os.close(self._log)
        if code is not None and code < 0:
            return launch.signal_name(-code)
        # a caller that ignores SIGCHLD, or waits for every child itself, leaves nobody to ask
        if _OUT_OF_TIME in said:
            return "SIGXCPU"
        return said[-1] if said else "no reason given"
