"""Who gets which job next; the table above the scheduler is followed line by line."""

from __future__ import annotations

import re
import socket
import threading
from collections import deque
from itertools import pairwise
from typing import Any

import pytest

from codesample.execution.caller import scheduler as scheduling
from codesample.execution.caller.scheduler import Scheduler
from codesample.execution.caller.worker_process import Job, SentTests

LINE = re.compile(r" {4}(one to each|then a second|worker \d \w+) {2,}(.*)")
NAME = re.compile(r"[ABC]\d")


class IdleWorker:
    """A worker that takes jobs and does nothing."""

    def __init__(self, arguments: Any) -> None:
        self.sock, self.other_end = socket.socketpair()
        self.jobs: deque[Job] = deque()
        self.tests_key = ""
        self.ready = True

    def give(self, job: Job) -> None:
        self.jobs.append(job)
        self.tests_key = job.tests_key

    def flush(self) -> bool:
        return False

    def end(self, *, stuck: bool) -> str:
        self.sock.close()
        self.other_end.close()
        return "SIGKILL"


@pytest.fixture
def delivered() -> list[Any]:
    """Keys of the jobs that came to their end, with the replies to them."""
    return []


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch, delivered: list[Any]) -> Any:
    """A scheduler of two idle workers whose steps are taken by hand."""
    monkeypatch.setattr(scheduling, "WorkerProcess", IdleWorker)
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    made = Scheduler([[], []], lambda job, reply: delivered.append((job.key, reply)))
    for key in ("A1", "A2", "A3", "B1", "B2", "C1"):
        made.submit(Job(key=key, body=b"", tests=SentTests(key[0]), seconds=1.0))
    yield made
    for worker in made._workers.values():
        worker.end(stuck=True)
    made._selector.close()
    made._wake.close()
    made._woken.close()


def table() -> list[tuple[str, list[str]]]:
    """Return what the docstring says of each moment: its name, and its three columns of jobs."""
    text = scheduling.__doc__ or ""
    head = next(line for line in text.splitlines() if "worker 0   worker 1   waiting" in line)
    starts = [head.index(word) for word in ("worker 0", "worker 1", "waiting")] + [63]
    found = []
    for line in text.splitlines():
        if match := LINE.fullmatch(line):
            cells = [line[start:end] for start, end in pairwise(starts)]
            found.append((match[1], [" ".join(NAME.findall(cell)) for cell in cells]))
    return found


def state(scheduler: Any) -> list[str]:
    held = [" ".join(job.key for job in worker.jobs) for worker in scheduler._workers.values()]
    waiting = [job.key for jobs in scheduler._waiting.values() for job in jobs]
    return [*held, " ".join(waiting)]


def test_the_table_is_what_happens(scheduler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = dict(table())
    assert len(moments) == 5
    scheduler._take_inbox()
    monkeypatch.setattr(scheduling, "IN_FLIGHT", 1)
    scheduler._assign()
    assert state(scheduler) == moments["one to each"]
    monkeypatch.setattr(scheduling, "IN_FLIGHT", 2)
    scheduler._assign()
    assert state(scheduler) == moments["then a second"]
    for slot in (0, 1):
        scheduler._workers[slot].jobs.popleft()
        scheduler._assign()
        assert state(scheduler) == moments[f"worker {slot} replies"]
    scheduler._bury(0, stuck=False)
    held, waiting = state(scheduler)
    assert ["", held, waiting] == moments["worker 0 dies"]


TIMED_OUT = {"status": "cpu_timeout", "loaded": True}


def settle(scheduler: Any, slot: int, reply: dict[str, Any]) -> str:
    """Let a worker reply to the job in its hand; return the job's key."""
    job = scheduler._workers[slot].jobs.popleft()
    scheduler._receive(job, dict(reply))
    return str(job.key)


def test_a_time_out_on_a_busy_machine_is_tried_once_more_alone(
    monkeypatch: pytest.MonkeyPatch, scheduler: Any, delivered: list[Any]
) -> None:
    scheduler._take_inbox()
    scheduler._assign()
    assert state(scheduler) == ["A1 A2", "B1 B2", "A3 C1"]
    settle(scheduler, 0, TIMED_OUT)
    scheduler._assign()
    assert (state(scheduler), delivered) == (["A2 A3", "B1 B2", "C1"], [])
    # once it has waited long enough, nobody gets another before all are idle
    monkeypatch.setattr(scheduler, "_lone_due", 0.0)
    for slot, keys in ((0, "A2 A3"), (1, "B1 B2")):
        for key in keys.split():
            assert settle(scheduler, slot, {"status": "passed"}) == key
            scheduler._assign()
    assert state(scheduler) == ["A1", "", "C1"]
    scheduler._assign()
    assert state(scheduler) == ["A1", "", "C1"]
    assert settle(scheduler, 0, TIMED_OUT) == "A1"
    assert delivered[-1] == ("A1", {"status": "cpu_timeout", "first_try": "cpu_timeout"})
    scheduler._assign()
    assert state(scheduler) == ["C1", "", ""]


def test_the_second_try_decides(scheduler: Any, delivered: list[Any]) -> None:
    scheduler._take_inbox()
    scheduler._assign()
    settle(scheduler, 0, {"status": "wall_timeout", "loaded": True})
    while scheduler._waiting or scheduler._workers[0].jobs or scheduler._workers[1].jobs:
        for slot in (0, 1):
            while scheduler._workers[slot].jobs:
                settle(scheduler, slot, {"status": "passed"})
        # nothing else waits in the end, so it need not be due
        scheduler._assign()
    assert delivered[-1] == ("A1", {"status": "passed", "first_try": "wall_timeout"})
    assert len(delivered) == 6
    assert scheduler._lone_due == float("inf")


@pytest.mark.parametrize(
    "reply", [{"status": "cpu_timeout"}, {"status": "wrong", "loaded": True}], ids=["idle", "no time-out"]
)
def test_other_replies_are_delivered_at_once(
    scheduler: Any, reply: dict[str, Any], delivered: list[Any]
) -> None:
    scheduler._take_inbox()
    scheduler._assign()
    settle(scheduler, 0, reply)
    assert delivered == [("A1", {"status": reply["status"]})]


def test_jobs_to_be_done_alone_are_not_forgotten_where_no_worker_can_work(
    scheduler: Any, delivered: list[Any]
) -> None:
    scheduler._take_inbox()
    scheduler._assign()
    settle(scheduler, 0, TIMED_OUT)
    scheduler._fail_all(scheduling.ExecutionError("no worker"))
    assert sorted(key for key, _ in delivered) == ["A1", "A3", "C1"]


def test_only_the_job_in_hand_is_blamed_for_a_second_death(scheduler: Any, delivered: list[Any]) -> None:
    scheduler._take_inbox()
    # the second time A2 is in hand, for the blamed job went behind it
    for _ in range(3):
        scheduler._assign()
        scheduler._bury(0, stuck=False)
    assert delivered == [("A1", {"fault": "the worker died: SIGKILL"})]
    assert state(scheduler)[-1] == "A2 A3 C1"
