"""What the scheduler makes of a worker's messages: a broken one costs no job and no earlier reply."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from codesample.execution.caller import worker_process
from codesample.execution.wire import channel, codec
from codesample.execution.wire.messages import MAX_MESSAGE, READY


class NoProcess:
    """Stands where a worker's process would."""

    def wait(self, timeout: float | None = None) -> int:
        return 0

    def poll(self) -> int:
        return 0

    def kill(self) -> None:
        pass


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[worker_process.WorkerProcess, socket.socket]]:
    """A worker as the scheduler sees it, and the socket on which a test speaks for it."""
    kept: list[socket.socket] = []

    def start(module: str, arguments: list[str], **settings: Any) -> NoProcess:
        kept.append(socket.socket(fileno=os.dup(int(arguments[0]))))
        return NoProcess()

    monkeypatch.setattr(worker_process.launch, "start", start)
    worker = worker_process.WorkerProcess([])
    yield worker, kept[0]
    worker.end(stuck=True)
    kept[0].close()


def job(name: str) -> worker_process.Job:
    return worker_process.Job(key=name, body=b"null", tests=worker_process.SentTests(), seconds=10.0)


GOOD = channel.frame(codec.encode({"status": "passed"}))


@pytest.mark.parametrize(
    "broken",
    [channel.frame(b"[[["), channel.frame(b'{"x":1}'), channel.HEADER.pack(MAX_MESSAGE + 1)],
    ids=["no message", "no such tag", "too long"],
)
def test_a_broken_reply_gives_the_worker_up_with_its_job_in_hand(pair: Any, broken: bytes) -> None:
    worker, other = pair
    first, second = job("first"), job("second")
    worker.give(first)
    worker.give(second)
    other.sendall(channel.frame(READY) + GOOD + broken)
    assert worker.read() == [(first, {"status": "passed"})]
    assert worker.read() is None
    assert list(worker.jobs) == [second]


def test_a_reply_to_no_job_gives_the_worker_up(pair: Any) -> None:
    worker, other = pair
    other.sendall(channel.frame(READY) + GOOD)
    assert worker.read() == []
    assert worker.read() is None


def test_what_is_measured_on_the_way_leaves_the_job_in_hand_and_goes_to_the_next_worker(pair: Any) -> None:
    worker, other = pair
    tests = worker_process.SentTests(key="t", body=b'"tests"')
    only = worker_process.Job(key="only", body=b'"job"', tests=tests, seconds=10.0)
    worker.give(only)
    other.sendall(channel.frame(READY) + channel.frame(codec.encode({"measured": "WzFd"})) + GOOD)
    assert worker.read() == [(only, {"measured": "WzFd"}), (only, {"status": "passed"})]
    assert channel.receive(other) == b'["job","tests",null]'
    tests.measured = b"[1]"
    # held there already
    worker.give(only)
    assert channel.receive(other) == b'["job",null]'
    worker._held.clear()
    worker.give(only)
    assert channel.receive(other) == b'["job","tests","WzFd"]'


def test_replies_may_hold_any_number_of_elements(pair: Any) -> None:
    worker, other = pair
    worker.give(job("only"))
    other.setblocking(False)
    many = channel.frame(READY) + channel.frame(codec.encode({"value": [0] * (codec.MAX_ELEMENTS + 1)}))
    replies: list[Any] = []
    while not replies:
        if many:
            many = many[other.send(many[: 1 << 16]) :]
        replies = worker.read()
    ((_, reply),) = replies
    assert len(reply["value"]) == codec.MAX_ELEMENTS + 1
