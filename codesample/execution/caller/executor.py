"""Programs in, verdicts out: the executor."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import weakref
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, SupportsIndex

from codesample.errors import ExecutionError, ParameterError
from codesample.execution.caller.awaited import Awaited, Latch
from codesample.execution.caller.cores import usable_cores
from codesample.execution.caller.isolation_probe import choose, confinement_of
from codesample.execution.caller.job_limits import limits_for, most_processes
from codesample.execution.caller.reference_cache import ReferenceCache, cache_folder, reference_key
from codesample.execution.caller.scheduler import Scheduler
from codesample.execution.caller.tests_facts import facts_of
from codesample.execution.caller.verdict_cache import LastingVerdicts, VerdictCache
from codesample.execution.caller.worker_process import Job, SentTests
from codesample.execution.isolation.grants import Isolation
from codesample.execution.isolation.level import Level
from codesample.execution.isolation.program_folder import remove_left
from codesample.execution.judge import Outcome, Program
from codesample.execution.limits import Limits
from codesample.execution.wire import codec, messages
from codesample.execution.worker.control_group import remove_left_groups
from codesample.records import InputTests, Status, Tests, Verdict
from codesample.records.validation import validated

__all__ = ["Executor"]

_STUCK_MARGIN_SECONDS = 60.0
_LEAST_IN_FLIGHT, _IN_FLIGHT_PER_WORKER = 64, 32
_VERDICTS_KEPT, _TESTS_KEPT = 10_000, 1_000
_MEASURED = ("cpu_seconds", "wall_seconds", "peak_memory", "checks", "integrity", "first_try")

# a fork has to make each anew, and one that somebody waits for lives on though nobody holds it
_open: weakref.WeakSet[Executor] = weakref.WeakSet()
_busy: set[Executor] = set()


@validated
class Executor:
    """The `Judge` of this machine: runs programs in confined processes and returns what came of them.

    Use it as a context manager, or call `close`; one that nobody holds any more closes itself. It never
    forks the calling process: workers are started by exec and end when this process does, however it ends.
    In a process that is forked from this one it starts workers of its own; what was submitted before the
    fork is not known there.

    Attributes:
        limits: For programs whose tests do not say otherwise.
        isolation: What programs are kept from here.
        workers: How many programs run at once.
        in_flight: How many unsettled programs keep the workers busy; more only take memory.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        limits: Limits | None = None,
        minimum: Level = Level.CONFINED,
        level: Level | None = None,
        cache: bool = True,
    ) -> None:
        """Probe the machine and make ready; processes start with the first program.

        Args:
            workers: How many programs run at once; None means one for each usable core.
            limits: For programs whose tests do not say otherwise; None means `Limits()`.
            minimum: Weakest isolation to accept.
            level: Isolation to use; None means the strongest this machine grants.
            cache: Whether equal programs with equal tests get their verdict from memory, which holds the
                last ten thousand.

        Raises:
            IsolationError: this machine grants less than `minimum` or `level`; the message names the remedy.
            ParameterError: fewer than one worker.
            ExecutionError: this process may have no temporary folder or no further thread.
        """
        if workers is not None and workers < 1:
            raise ParameterError(f"workers = {workers}: expected at least 1, or None for one per core")
        self.limits = limits or Limits()
        self.isolation: Isolation = choose(minimum=minimum, level=level)
        self.workers = workers or usable_cores()
        self.in_flight = max(_LEAST_IN_FLIGHT, _IN_FLIGHT_PER_WORKER * self.workers)
        self._cache: dict[str, dict[str, Any]] | None = {} if cache else None
        self._waiting: dict[str, list[_Listener]] = {}
        self._tests: dict[int, tuple[Tests, SentTests]] = {}
        self._closed = False
        self._references = ReferenceCache(cache_folder())
        self._lasting = LastingVerdicts(None, self.isolation)
        self._lock, self._idle = threading.Lock(), Latch()
        self._scheduler: Scheduler | None = self._begin()
        _open.add(self)

    def recall(self, folder: Path | None) -> None:
        """From now on take verdicts from a folder, and keep there those that come and cannot change."""
        self._lasting = LastingVerdicts(VerdictCache(folder), self.isolation)

    @property
    def recalled(self) -> int:
        """How many verdicts were found in that folder."""
        return self._lasting.found

    def submit(self, program: Program) -> Future[Verdict]:
        """Queue a program; its verdict arrives in the future.

        The future raises ExecutionError where the harness cannot work at all; a failure that concerns
        one program is the verdict HARNESS_ERROR.

        Raises:
            ExecutionError: the executor is closed.
            ParameterError: the tests hold inputs that are not plain data, or are of no kind that it judges.
        """
        limits = limits_for(program.tests, self.limits)
        tests = self._sent(program.tests, limits)
        body = {"tests_key": tests.key, "source": program.source, "limits": messages.as_plain(limits)}

        def build(reply: dict[str, Any]) -> Verdict:
            return _verdict(program, reply)

        return self._submit(body, tests, most_processes(program.tests), build, lasting=True)

    def submit_calls(
        self,
        source: str,
        entry_point: str,
        inputs: Sequence[tuple[Any, ...]],
        *,
        cpu_seconds: float | None = None,
    ) -> Future[list[Outcome]]:
        """Queue calls of an untrusted program's function; one outcome for each argument list arrives.

        Args:
            source: The program.
            entry_point: Name of the function to call.
            inputs: Argument lists of plain data.
            cpu_seconds: For all calls together; None means the executor's limit. A call that exceeds
                it, or crashes, costs that input alone, at most three times.

        Raises:
            ExecutionError: the executor is closed.
            ParameterError: an argument is not plain data.
        """
        limits = self.limits if cpu_seconds is None else replace(self.limits, cpu_seconds=cpu_seconds)
        body = {
            "source": source,
            "entry_point": entry_point,
            "inputs": list(inputs),
            "limits": messages.as_plain(limits),
        }

        def build(reply: dict[str, Any]) -> list[Outcome]:
            if "outcomes" not in reply:
                status, detail = _failure(reply)
                return [Outcome(status, None, detail)] * len(inputs)
            return [Outcome(Status(status), value, detail) for status, value, detail in reply["outcomes"]]

        return self._submit(body, SentTests(), messages.MAX_PROCESSES, build)

    def close(self) -> None:
        """End all processes; futures still waiting raise ExecutionError. May be called twice."""
        with self._lock:
            self._closed, scheduler = True, self._scheduler
        if scheduler is not None:
            scheduler.close()

    def __repr__(self) -> str:
        waiting, level = len(self._waiting), self.isolation.level.label
        state = "closed" if self._closed else f"{waiting} program{'' if waiting == 1 else 's'} under way"
        return f"Executor({self.workers} worker{'' if self.workers == 1 else 's'}, {level}: {state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted, unless leaving by an exception, and close."""
        try:
            if kind is None:
                self._idle.wait_for(lambda: not self._waiting)
        finally:
            self.close()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "an Executor cannot be pickled: its workers belong to the process that started them; "
            "make one in each process, or let the processes be forked"
        )

    def _begin(self) -> Scheduler:
        """Start to schedule in this process; raises ExecutionError."""
        try:
            temporary = tempfile.gettempdir()
            # held weakly, or the thread would keep this executor for ever
            deliver = weakref.WeakMethod(self._deliver)
            scheduler = Scheduler(
                [
                    [json.dumps(confinement_of(self.isolation).as_json()), temporary]
                    for _ in range(self.workers)
                ],
                lambda job, reply: (alive := deliver()) and alive(job, reply),
                ended=partial(_remove_left, temporary),
            )
        except (OSError, RuntimeError) as error:
            raise ExecutionError(f"programs cannot be run here: {error}") from error
        weakref.finalize(self, scheduler.close)
        return scheduler

    def _forked(self) -> None:
        """Leave to the process that this one was forked from what is that one's."""
        self._lock, self._idle = threading.Lock(), Latch()
        waiting, self._waiting = self._waiting, {}
        if (scheduler := self._scheduler) is not None:
            self._scheduler = None
            scheduler.forget()
        for listener in chain.from_iterable(waiting.values()):
            listener.future.orphan(
                ExecutionError("submitted before this process was forked; submit it here once more")
            )

    def _sent(self, tests: Tests, limits: Limits) -> SentTests:
        """Return tests as workers get them, made once for each object."""
        with self._lock:
            known = self._tests.get(id(tests))
        if known is None:
            try:
                encoded = messages.encode_tests(tests)
            except codec.CodecError as error:
                raise ParameterError(f"the inputs of the tests are not plain data: {error}") from None
            sent = SentTests(messages.digest(encoded), encoded)
            # what modules of the installation do changes with their versions
            if isinstance(tests, InputTests) and tests.expected is None and not limits.imports:
                sent.cache_key = reference_key(encoded, limits, self.isolation)
                sent.measured = self._references.get(sent.cache_key)
            # the record itself is kept too, so that its id stays its own
            known = (tests, sent)
            with self._lock:
                _keep(self._tests, id(tests), known, most=_TESTS_KEPT)
        return known[1]

    def _submit(
        self,
        body: dict[str, Any],
        tests: SentTests,
        processes: int,
        build: Callable[[dict[str, Any]], Any],
        *,
        lasting: bool = False,
    ) -> Future[Any]:
        """Queue one job, or join an equal one that was done, also in another session, or is under way."""
        try:
            encoded = codec.encode(body)
        except codec.CodecError as error:
            raise ParameterError(f"the arguments are not plain data: {error}") from None
        size = len(encoded) + len(tests.body)
        if size > messages.MAX_MESSAGE:
            raise ParameterError(f"program and tests take {size} bytes; at most {messages.MAX_MESSAGE}")
        key = messages.digest(encoded, self.isolation.level.label.encode(), self.isolation.python.encode())
        limits = messages.limits_from(body["limits"])
        seconds = processes * limits.hard_wall + limits.check_seconds + _STUCK_MARGIN_SECONDS
        job = Job(key=key, body=encoded, tests=tests, seconds=seconds)
        listener = _Listener(Awaited(), build)
        with self._lock:
            if self._closed:
                raise ExecutionError("the executor is closed; make a new one")
            reply = self._cache.get(key) if self._cache is not None else None
            if reply is None and lasting and key not in self._waiting:
                reply = self._lasting.look_up(key, limits)
            if reply is None:
                self._await(job, listener)
        if reply is not None:
            listener.settle(reply)
        return listener.future

    def _await(self, job: Job, listener: _Listener) -> None:
        """Schedule a job, or listen with those who wait for an equal one; the lock is held."""
        if (others := self._waiting.get(job.key)) is not None:
            others.append(listener)
            return
        if self._scheduler is None:
            self._scheduler = self._begin()
        try:
            self._waiting[job.key] = [listener]
            _busy.add(self)
            self._scheduler.submit(job)
        except BaseException:
            # an equal one would wait for this one for ever
            self._waiting.pop(job.key, None)
            self._rest()
            raise

    def _deliver(self, job: Job, reply: dict[str, Any] | Exception) -> None:
        """Settle everyone who waits for a job; runs in the scheduler's thread."""
        if isinstance(reply, dict) and "measured" in reply:
            job.tests.measured = a2b_base64(reply["measured"])
            if job.tests.cache_key:
                self._references.put(job.tests.cache_key, job.tests.measured)
            return
        self._lasting.keep(job.key, reply)
        with self._lock:
            listeners = self._waiting.pop(job.key, [])
            if isinstance(reply, dict) and "checks" in reply:
                reply = {**reply, "checks": messages.checks_from(reply["checks"])}
            # faults are to be tried again, and what calls return may be large
            status = reply.get("status") if isinstance(reply, dict) else None
            if self._cache is not None and status not in (None, Status.HARNESS_ERROR):
                _keep(self._cache, job.key, reply, most=_VERDICTS_KEPT)
        for listener in listeners:
            listener.settle(reply)
        with self._lock:
            self._rest()

    def _rest(self) -> None:
        """Take note where nobody waits any more; the lock is held."""
        if not self._waiting:
            _busy.discard(self)
            self._idle.call()


def _remove_left(temporary: str) -> None:
    """Remove what workers left that were killed: those of other callers too, where they are gone."""
    remove_left(temporary)
    remove_left_groups()


@dataclass(frozen=True, slots=True)
class _Listener:
    """A future and how to make its result from a worker's reply."""

    future: Awaited[Any]
    build: Callable[[dict[str, Any]], Any]

    def settle(self, reply: dict[str, Any] | Exception) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            if isinstance(reply, Exception):
                raise reply
            self.future.set_result(self.build(reply))
        except Exception as error:
            self.future.set_exception(error)


def _after_fork() -> None:
    """Make every executor of a forked process its own."""
    _busy.clear()
    for executor in list(_open):
        executor._forked()


os.register_at_fork(after_in_child=_after_fork)


def _keep(kept: dict[Any, Any], key: Any, value: Any, *, most: int) -> None:
    """Add an entry, and drop the oldest where there are more than `most`."""
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]


def _failure(reply: dict[str, Any]) -> tuple[Status, str]:
    """Status and detail of a reply without a result."""
    if "fault" in reply:
        return Status.HARNESS_ERROR, reply["fault"]
    return Status(reply["status"]), reply["detail"]


def _verdict(program: Program, reply: dict[str, Any]) -> Verdict:
    status, detail = _failure(reply)
    rest = {name: reply[name] for name in _MEASURED if name in reply}
    if "first_try" in rest:
        rest["first_try"] = Status(rest["first_try"])
    if "integrity" not in rest:
        # the worker did not live to say it
        rest["integrity"] = facts_of(program.tests).form
    if status is not Status.HARNESS_ERROR:
        rest.setdefault("checks", (False,) * program.tests.check_count)
    return Verdict(program.task_id, program.index, status, detail=detail, **rest)
