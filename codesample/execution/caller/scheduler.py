"""Hand jobs to workers from one thread, keep workers alive, and lose no job when one dies.

A worker holds two jobs, the one it does and the next, and is quick on tests that it has made ready. With
two workers and the jobs A1 A2 A3 B1 B2 C1, where the letter stands for the tests:

                        worker 0   worker 1   waiting
    one to each         A1         B1         A2 A3 B2 C1    B before A: worker 0 is on A
    then a second       A1 A2      B1 B2      A3 C1          each stays with its own tests
    worker 0 replies    A2 A3      B1 B2      C1
    worker 1 replies    A2 A3      B2 C1                     no B is left: the next that nobody is on
    worker 0 dies                  B2 C1      A3 A2          both again; A2, which it was doing, comes last

A job that a worker was doing when it died is done once more, and is a fault where that worker dies too.
One that only stood behind it is not to blame.

A job that ran out of time while the machine was busy is done once more too, alone: when no other waits, or
ten seconds later, workers get nothing until all are idle, and then such jobs one after another.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from codesample.errors import ExecutionError
from codesample.execution.caller.awaited import Latch
from codesample.execution.caller.worker_process import IN_FLIGHT, Job, WorkerProcess
from codesample.execution.wire.messages import CHECKS_TIMED_OUT
from codesample.records import Status

__all__ = ["Scheduler"]

_MAX_ATTEMPTS = 2
_MAX_FAILED_STARTS = 5
_CLOSE_SECONDS = 5.0
_LONE_WAIT_SECONDS = 10.0
_TIMEOUTS = frozenset({Status.CPU_TIMEOUT, Status.WALL_TIMEOUT})

Deliver = Callable[[Job, "dict[str, Any] | Exception"], None]


class Scheduler:
    """Owns the workers. Nothing of it runs in the caller's threads but `submit` and `close`."""

    def __init__(
        self,
        arguments: Sequence[Sequence[str]],
        deliver: Deliver,
        *,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread; workers start when there is work for them.

        Args:
            arguments: For each worker, the arguments that `worker.main` takes after its socket.
            deliver: Called in the scheduler's thread with each job and its reply, or the error that
                keeps it from ever being done.
            ended: Called once all workers have ended.
        """
        self._arguments = list(arguments)
        self._deliver = deliver
        self._at_end = ended
        self._workers: dict[int, WorkerProcess] = {}
        self._waiting: OrderedDict[str, deque[Job]] = OrderedDict()
        self._inbox: deque[Job] = deque()
        self._lone: deque[Job] = deque()
        self._lone_due = float("inf")
        self._alone = False
        self._failed_starts = 0
        self._closing = self._ended = self._through = False
        self._latch = Latch()
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._loop, name="codesample-execution", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._stop()
            raise

    def submit(self, job: Job) -> None:
        """Queue a job; any thread may call this.

        Raises:
            ExecutionError: the scheduler's thread has ended.
        """
        with self._lock:
            if self._ended:
                raise ExecutionError("the scheduler has ended; close the executor and make a new one")
            self._inbox.append(job)
            self._nudge()

    def close(self) -> None:
        """End all workers; jobs not done are delivered as errors.

        May be called again, by any thread, and in a forked process, where it does nothing. What holds the
        thread up, such as a callback that does not return, is not waited for longer than five seconds.
        """
        if os.getpid() != self._pid:
            return
        self._stop()
        # called back from there, or a finalizer that happened to run there
        if threading.current_thread() is self._thread:
            return
        if not self._latch.wait_for(lambda: self._through, seconds=_CLOSE_SECONDS):
            for worker in list(self._workers.values()):
                worker.process.kill()
        self._wake.close()

    def forget(self) -> None:
        """Let go, in a forked process, of what belongs to the process it was forked from."""
        for worker in self._workers.values():
            worker.forget()
        # only closed: taken off the selector, they would be taken off the other process's too
        for each in (self._selector, self._wake, self._woken):
            with contextlib.suppress(OSError):
                each.close()

    def _stop(self) -> None:
        """Tell the thread to end, by one call that no exception can cut in two."""
        with contextlib.suppress(OSError):
            self._wake.shutdown(socket.SHUT_WR)

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b".", socket.MSG_DONTWAIT)

    def _loop(self) -> None:
        try:
            while not self._closing:
                self._step()
        finally:
            # whatever is submitted before this is delivered below
            with self._lock:
                self._ended = True
            # callbacks may take their time; processes may not
            for worker in self._workers.values():
                for job in worker.jobs:
                    self._requeue(job)
                # who is idle ends by itself, and removes what it has made
                worker.hang_up()
            for slot, worker in list(self._workers.items()):
                self._end_worker(slot, stuck=bool(worker.jobs))
            self._selector.close()
            self._woken.close()
            try:
                self._at_end()
                self._fail_all(ExecutionError("the executor was closed before this program was run"))
            finally:
                self._through = True
                self._latch.call()

    def _step(self) -> None:
        self._take_inbox()
        self._assign()
        nearest = min((worker.deadline for worker in self._workers.values()), default=float("inf"))
        if self._lone_due > time.monotonic():
            nearest = min(nearest, self._lone_due)
        timeout = None if nearest == float("inf") else max(0.0, nearest - time.monotonic())
        for key, events in self._selector.select(timeout):
            if key.fileobj is self._woken:
                with contextlib.suppress(BlockingIOError):
                    self._closing = not self._woken.recv(4096)
            elif key.data in self._workers:
                self._serve(key.data, events)
        now = time.monotonic()
        for slot, worker in list(self._workers.items()):
            if worker.deadline <= now:
                self._bury(slot, stuck=True)

    def _take_inbox(self) -> None:
        while self._inbox:
            job = self._inbox.popleft()
            self._waiting.setdefault(job.tests_key, deque()).append(job)

    def _assign(self) -> None:
        """Give every worker with room its next job, starting workers while there is work for more."""
        working = any(worker.jobs for worker in self._workers.values())
        if self._alone and working:
            return
        self._alone = False
        if self._lone and (not self._waiting or self._lone_due <= time.monotonic()):
            if not working:
                self._assign_alone()
            return
        for slot in range(len(self._arguments)):
            if not self._waiting:
                return
            if slot not in self._workers:
                self._start(slot)
        # one job to each before a second to any, so that none waits behind a slow one
        for room in range(1, IN_FLIGHT + 1):
            for slot, worker in self._workers.items():
                if len(worker.jobs) < room and (job := self._next_for(worker)):
                    worker.give(job)
                    self._watch(slot)

    def _assign_alone(self) -> None:
        """Give a job that is to be done alone to one of the workers, which are all idle."""
        if not self._workers:
            self._start(0)
        if not self._workers:
            return
        job = self._lone.popleft()
        if not self._lone:
            self._lone_due = float("inf")
        ready = (slot for slot, worker in self._workers.items() if worker.tests_key == job.tests_key)
        slot = next(ready, next(iter(self._workers)))
        self._alone = True
        self._workers[slot].give(job)
        self._watch(slot)

    def _next_for(self, worker: WorkerProcess) -> Job | None:
        """Prefer the tests that the worker has ready, then those that no other worker is on."""
        if not self._waiting:
            return None
        busy = {other.tests_key for other in self._workers.values()}
        key = worker.tests_key
        if key not in self._waiting:
            key = next((each for each in self._waiting if each not in busy), next(iter(self._waiting)))
        jobs = self._waiting[key]
        job = jobs.popleft()
        if not jobs:
            del self._waiting[key]
        return job

    def _start(self, slot: int) -> None:
        try:
            worker = WorkerProcess(self._arguments[slot])
        except OSError as error:
            # the machine may be full for the moment; those that run will do the work
            if not self._workers:
                self._fail_all(ExecutionError(f"a worker could not be started: {error}"))
            return
        self._workers[slot] = worker
        self._selector.register(worker.sock, selectors.EVENT_READ, slot)

    def _watch(self, slot: int) -> None:
        worker = self._workers[slot]
        writing = selectors.EVENT_WRITE if worker.flush() else 0
        self._selector.modify(worker.sock, selectors.EVENT_READ | writing, slot)

    def _serve(self, slot: int, events: int) -> None:
        worker = self._workers[slot]
        if events & selectors.EVENT_READ:
            replies = worker.read()
            if replies is None:
                self._bury(slot, stuck=False)
                return
            for job, reply in replies:
                self._receive(job, reply)
        if events & selectors.EVENT_WRITE:
            self._watch(slot)

    def _receive(self, job: Job, reply: dict[str, Any]) -> None:
        """Deliver a reply, unless the job shall be done once more."""
        status = reply.get("status")
        if reply.pop("loaded", False) and status in _TIMEOUTS and not job.first_try:
            job.first_try = str(status)
            if not self._lone:
                self._lone_due = time.monotonic() + _LONE_WAIT_SECONDS
            self._lone.append(job)
            return
        if job.first_try and "measured" not in reply:
            reply["first_try"] = job.first_try
        self._deliver(job, reply)

    def _bury(self, slot: int, *, stuck: bool) -> None:
        """Collect a dead or stuck worker, settle or repeat the job it was doing, requeue the others."""
        worker = self._workers[slot]
        jobs, ready = list(worker.jobs), worker.ready
        reason = self._end_worker(slot, stuck=stuck)
        if ready and jobs:
            self._settle_or_requeue(jobs.pop(0), reason, stuck=stuck)
        for job in reversed(jobs):
            self._requeue(job)
        working = ready or any(other.ready for other in self._workers.values())
        self._failed_starts = 0 if working else self._failed_starts + 1
        if self._failed_starts >= _MAX_FAILED_STARTS:
            self._failed_starts = 0
            self._fail_all(ExecutionError(f"no worker gets to work: {reason}"))

    def _settle_or_requeue(self, job: Job, reason: str, *, stuck: bool) -> None:
        """Decide about the job that a worker was doing when it died for `reason`."""
        job.attempts += 1
        last = job.attempts >= _MAX_ATTEMPTS
        if reason == "SIGXCPU" or (stuck and last):
            self._deliver(job, {"status": Status.CPU_TIMEOUT.value, "detail": CHECKS_TIMED_OUT})
        elif last:
            self._deliver(job, {"fault": f"the worker died: {reason}"})
        else:
            self._requeue(job)

    def _requeue(self, job: Job) -> None:
        self._waiting.setdefault(job.tests_key, deque()).appendleft(job)
        self._waiting.move_to_end(job.tests_key, last=False)

    def _end_worker(self, slot: int, *, stuck: bool) -> str:
        worker = self._workers.pop(slot)
        self._selector.unregister(worker.sock)
        return worker.end(stuck=stuck)

    def _fail_all(self, error: ExecutionError) -> None:
        self._take_inbox()
        waiting = [*self._lone, *(job for jobs in self._waiting.values() for job in jobs)]
        self._lone.clear()
        self._waiting.clear()
        for job in waiting:
            self._deliver(job, error)
