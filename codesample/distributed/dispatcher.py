"""The thread between a driver's programs and the judging actors: batches out, results in, deadlines kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from codesample.distributed.backlog import Backlog, Task
from codesample.distributed.cluster import ActorLostError, Cluster, Happened
from codesample.distributed.crew import Crew, Member
from codesample.distributed.judging_actor import Job, Judging
from codesample.distributed.known_tests import KnownTests
from codesample.distributed.mailbox import Failure, linger
from codesample.errors import CodesampleError, ExecutionError

__all__ = ["Dispatcher"]

ANSWER_SECONDS = 300.0
"""An actor that takes longer for an answer that needs no work is given up."""

TAKE_SECONDS = 10.0
LOOK_SECONDS = 0.05
IDLE_SECONDS = 0.5


@dataclass(slots=True)
class _Asked:
    """A question to a member, and when it was put."""

    member: Member
    put: float
    fetches: bool


class Dispatcher:
    """Owns the crew, in a thread of its own, from `start` on.

    Args:
        cluster, crew, happened: Of the judging actors.
        known: Which tests they have.
        blame: Given a job over which two actors died, makes the result that says so.
    """

    def __init__(
        self,
        cluster: Cluster,
        crew: Crew,
        happened: Happened,
        *,
        known: KnownTests,
        blame: Callable[[Task], Any],
    ) -> None:
        self._cluster, self._crew, self._happened = cluster, crew, happened
        self._known, self._blame = known, blame
        self._inbox: SimpleQueue[Task | None] = SimpleQueue()
        self._backlog = Backlog()
        self._asked: dict[Any, _Asked] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="codesample-judging", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Hand in a job; any thread may."""
        self._inbox.put(task)

    def close(self) -> None:
        """End all actors; jobs that are not done raise ExecutionError. May be called again."""
        self._closing = True
        self._inbox.put(None)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=60)

    def _loop(self) -> None:
        try:
            while not self._closing:
                self._step()
        except BaseException as error:
            self._fail_all(ExecutionError(f"judging failed: {type(error).__name__}: {error}"))
            raise
        finally:
            self._closing = True
            self._crew.close()
            self._take_inbox()
            self._fail_all(ExecutionError("the judge was closed before this program was run"))

    def _step(self) -> None:
        if not len(self._backlog):
            with suppress(Empty):
                self._take(self._inbox.get(timeout=IDLE_SECONDS))
        self._take_inbox()
        self._crew.tend()
        if len(self._backlog):
            try:
                self._crew.expect_living()
            except CodesampleError as error:
                self._fail_all(error)
                return
            self._hand_out()
        self._listen()
        self._hear(seconds=LOOK_SECONDS if len(self._backlog) else 0.0)

    def _take_inbox(self) -> None:
        while True:
            try:
                self._take(self._inbox.get_nowait())
            except Empty:
                return

    def _take(self, task: Task | None) -> None:
        if task is not None:
            self._backlog.add(task)

    def _hand_out(self) -> None:
        for member in self._crew.live:
            while tasks := self._backlog.batch(member, workers=member.opened.workers):
                self._give(member, tasks)

    def _listen(self) -> None:
        """Keep a question open to every actor: by it a death is noticed, also of an idle one."""
        fetching = {asked.member for asked in self._asked.values() if asked.fetches}
        gather = linger(len(self._crew.live))
        for member in self._crew.live:
            if member not in fetching:
                self._ask(member, member.actor.ask("take", TAKE_SECONDS, gather), fetches=True)

    def _hear(self, *, seconds: float) -> None:
        settled = self._cluster.settled(list(self._asked), seconds=seconds)
        late = monotonic() - ANSWER_SECONDS
        overdue = {asked.member for asked in self._asked.values() if asked.put < late}
        overdue -= {self._asked[question].member for question in settled}
        for question in settled:
            self._answered(question)
        for member in overdue:
            self._lose(member, f"no answer within {ANSWER_SECONDS:g} s")

    def _give(self, member: Member, tasks: list[Task]) -> None:
        needed = {
            task.work.tests: task.tests
            for task in tasks
            if isinstance(task.work, Judging) and task.tests is not None
        }
        tests, forget = self._known.shipment(member, needed)
        jobs = [Job(task.number, task.work) for task in tasks]
        self._ask(member, member.actor.ask("give", jobs, tests, forget), fetches=False)

    def _ask(self, member: Member, question: Any, *, fetches: bool) -> None:
        self._asked[question] = _Asked(member, monotonic(), fetches)

    def _answered(self, question: Any) -> None:
        # gone where its actor was found dead by another of its answers
        asked = self._asked.pop(question, None)
        if asked is None:
            return
        try:
            answer = self._cluster.answer(question)
        except ActorLostError as lost:
            self._lose(asked.member, str(lost))
            return
        for number, result in answer if asked.fetches else ():
            if isinstance(result, Failure) and not result.refused:
                self._lose(asked.member, result.message)
                return
            self._crew.worked(asked.member)
            if (task := self._backlog.settled(asked.member, number)) is not None:
                _settle(task, result.raised() if isinstance(result, Failure) else result)

    def _lose(self, member: Member, why: str) -> None:
        self._asked = {each: asked for each, asked in self._asked.items() if asked.member is not member}
        before = self._backlog.requeued
        for task in self._backlog.died(member):
            _settle(task, self._blame(task))
        self._happened.handed_out_again("programs", self._backlog.requeued - before)
        self._known.lost(member)
        self._crew.lost(member, why)

    def _fail_all(self, error: CodesampleError) -> None:
        self._asked.clear()
        for task in self._backlog.clear():
            _settle(task, error)


def _settle(task: Task, result: Any) -> None:
    if not task.future.set_running_or_notify_cancel():
        return
    if isinstance(result, Exception):
        task.future.set_exception(result)
    else:
        task.future.set_result(result)
