"""The worked example above the exchange is what really crosses, and no step escapes a limit."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from codesample.execution import Executor, Level, Limits, Program
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.wire import codec
from codesample.execution.worker import exchange
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.main import _Worker
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import Spawner
from codesample.records import CodeTests, Status

PROGRAM = "def f(x):\n    return x * x\n"
TESTS = CodeTests(checks=("assert f(2) == 4", "assert f(3) == 6"), entry_point="f")
WAYS = re.compile(r" {4}(\w+ -> \w+) +(.+)")


def shown_in(text: str) -> list[tuple[str, str]]:
    """Return the messages of the example, each with its way; what is indented further goes on a line."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if match := WAYS.fullmatch(line):
            found.append((match[1], match[2]))
        elif found and line.startswith(" " * 8):
            found[-1] = (found[-1][0], found[-1][1] + line.strip())
    return found


@pytest.fixture
def crossed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Judge the program of the example and write down every message."""
    executor = Executor(workers=1)
    said: list[tuple[str, str]] = []
    jobs: list[Any] = []
    ask, send, receive_next = Spawner._ask, Exchange.send, Exchange._next

    def noted_ask(self: Spawner, request: dict[str, Any], descriptors: Any) -> dict[str, Any]:
        said.append(("worker -> zygote", json.dumps(request)))
        reply = ask(self, request, descriptors)
        said.append(("zygote -> worker", json.dumps(reply)))
        return reply

    def noted_send(self: Exchange, request: bytes, *, answered: bool = True) -> None:
        said.append(("worker -> child", request.decode()))
        send(self, request, answered=answered)

    def noted_next(self: Exchange) -> bytes | None:
        body = receive_next(self)
        if body is not None:
            said.append(("child -> worker", body.decode()))
        return body

    monkeypatch.setattr(Spawner, "_ask", noted_ask)
    monkeypatch.setattr(Exchange, "send", noted_send)
    monkeypatch.setattr(Exchange, "_next", noted_next)
    assert executor._scheduler is not None
    monkeypatch.setattr(executor._scheduler, "submit", jobs.append)
    executor.submit(Program("t", 0, PROGRAM, TESTS))
    executor.close()
    request = b"[%s,%s]" % (jobs[0].body, jobs[0].tests.body)
    said.append(("caller -> worker", request.decode()))
    spawner = Spawner(Confinement(level=Level.NONE, folder=str(tmp_path)))
    ours, theirs = socket.socketpair()
    try:
        reply = _Worker(ours, spawner).work(*codec.decode(request, trusted=True))
    finally:
        spawner.close()
        ours.close()
        theirs.close()
    said.append(("worker -> caller", reply.decode()))
    return said


def test_the_worked_example_is_what_crosses(crossed: list[tuple[str, str]]) -> None:
    example = shown_in(exchange.__doc__ or "")
    assert [way for way, _ in example] == [way for way, _ in crossed]
    for (way, shown), (_, message) in zip(example, crossed, strict=True):
        pattern = re.escape(shown.replace(" ", "")).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, message.replace(" ", "")), (way, shown, message)


def test_many_quick_steps_do_not_put_off_the_look_at_memory(start: Any) -> None:
    # with imports the kernel bounds address space alone
    remote = Remote(start(Limits(memory=64 << 20, imports=("json",))))
    grow = remote.load("held = []\ndef f():\n    if len(held) < 110: held.append(b'x' * (1 << 20))", ["f"])[
        "f"
    ]
    end = time.monotonic() + 2.0

    def go_on() -> None:
        while time.monotonic() < end:
            remote.exchange.step()
            grow()

    with pytest.raises(ProgramStopped) as stopped:
        go_on()
    assert stopped.value.status is Status.MEMORY
    remote.exchange.close()
