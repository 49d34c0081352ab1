"""What fails for now is asked again, as the server likes it; what fails for good ends the call, and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import FakeServer, Fault, serving

from codesample import ModelOptions, ServerEngine
from codesample.errors import ModelError
from codesample.records import Candidate, Request, SamplingParams
from codesample.servers import transport
from codesample.servers.transport import Patience

PLAIN = SamplingParams(max_new_tokens=8, top_p=1.0, temperature=1.0)
ASKED = [Request("a", "def f", (0, 1, 2))]


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for milliseconds between tries; how long the waits are is tested by itself."""
    monkeypatch.setattr(Patience, "wait", lambda self, tries: 0.002)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as running:
        yield running


def opened(server: FakeServer, **options: Any) -> ServerEngine:
    given = {"max_requests": 1, "api": "completions", **options}
    engine = ServerEngine("model", ModelOptions("openai:model", base_url=server.url, **given))
    # what the call asks for is tried before its first request
    list(engine.stream([Request("a", "x", (0,))], PLAIN))
    return engine


def drawn(engine: ServerEngine) -> list[Candidate]:
    return sorted(engine.stream(ASKED, PLAIN), key=lambda each: each.index)


class ShortForFaults(Patience):
    """Waits for a request that is to fail next for a moment, and for every other one as long as it takes."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__()
        object.__setattr__(self, "server", server)

    def __getattribute__(self, name: str) -> Any:
        if name != "timeout":
            return super().__getattribute__(name)
        faults = super().__getattribute__("server").faults
        return 0.2 if faults and faults[0] is not None else 60.0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 429, {"retry-after": "0.01"}),
        Fault("status", 500),
        Fault("status", 503, body="<html>busy</html>"),
        Fault("status", 408),
        Fault("reset"),
        Fault("truncated"),
        Fault("empty"),
        Fault("status", 200, body={"error": {"message": "upstream", "code": 502}}),
        Fault("slow", seconds=30.0),
    ],
    ids=lambda each: f"{each.kind}-{each.status}",
)
def test_what_fails_for_now_costs_one_request(server: FakeServer, fault: Fault) -> None:
    engine = opened(server)
    if fault.kind == "slow":
        engine._transport.patience = ShortForFaults(server)  # type: ignore[assignment]
    right, before = drawn(engine), len(server.requests)
    server.faults = [None, fault]
    assert drawn(engine) == right
    sent = server.requests[before:]
    assert len(sent) == 4
    # asked again to the letter
    assert sent[1] == sent[2]


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("reset"), Fault("truncated")])
def test_what_goes_on_failing_ends_the_call_and_keeps_what_was_drawn(
    server: FakeServer, fault: Fault
) -> None:
    engine = opened(server, max_retries=2)
    server.faults = [None] + [fault] * 3
    stream, got = engine.stream(ASKED, PLAIN), []
    with pytest.raises(ModelError, match=r"completions: asked 3 times, the last time: .*; is the server up"):
        got.extend(stream)
    stream.close()  # type: ignore[attr-defined]
    server.faults = []
    assert len(drawn(engine)) == 3


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            400,
            {"error": {"message": "prompt is too long", "param": "prompt"}},
            "field 'prompt': prompt is too",
        ),
        (401, {"error": {"message": "bad key"}}, "HTTP 401: bad key"),
        (404, {"detail": "no such model"}, "HTTP 404: no such model"),
        (422, {"detail": [{"loc": ["body", "seed"], "msg": "too big"}]}, "HTTP 422, field 'seed': .*too big"),
        (429, {"error": {"message": "pay", "code": "insufficient_quota"}}, "HTTP 429: pay"),
        (501, "not built", "HTTP 501: not built"),
        (302, "", "it is said to be at http://elsewhere; name that address"),
    ],
)
def test_what_fails_for_good_is_not_asked_again(
    server: FakeServer, status: int, body: Any, said: str
) -> None:
    engine = opened(server)
    before = len(server.requests)
    server.faults = [None, Fault("status", status, {"location": "http://elsewhere"}, body)]
    with pytest.raises(ModelError, match=said):
        drawn(engine)
    assert len(server.requests) - before == 2


@pytest.mark.parametrize("form", ["date", "seconds"])
def test_a_server_is_left_alone_for_as_long_as_it_asks(
    server: FakeServer, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(server)
    said = "0.3"
    if form == "date":
        # dates are whole seconds: its clock stands shortly before one
        now = datetime(2030, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)
        monkeypatch.setattr(transport, "datetime", SimpleNamespace(now=lambda zone: now))
        said = "Tue, 01 Jan 2030 12:00:01 GMT"
    server.faults = [Fault("status", 429, {"retry-after": said})]
    began = time.monotonic()
    assert len(drawn(engine)) == 3
    assert time.monotonic() - began >= 0.3
    server.faults = [None, Fault("status", 429, {"retry-after": "86400"})]
    with pytest.raises(ModelError, match="asks to wait 86400 s"):
        drawn(engine)


def test_waits_grow_vary_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    patience = Patience()
    waits = [[patience.wait(tries) for _ in range(50)] for tries in range(1, 60)]
    assert all(0.25 <= each <= 0.75 for each in waits[0])
    assert all(30 <= each <= 90 for each in waits[-1])
    assert len(set(waits[3])) == 50


def test_a_server_that_is_not_there_is_not_waited_for() -> None:
    with serving(FakeServer()) as gone:
        pass
    with pytest.raises(ModelError, match=r"cannot be asked: .*asked 3 times, .* is the server up"):
        ServerEngine("model", ModelOptions("openai:model", base_url=gone.url))


def test_a_server_that_is_busy_while_it_is_probed_is_waited_for(server: FakeServer) -> None:
    server.faults = [Fault("status", 429)] * 6
    assert opened(server).facts.seed == "honoured"


@pytest.mark.parametrize(
    "ending", [lambda stream: stream.close(), lambda stream: None], ids=["close", "drop"]
)
def test_leaving_a_stream_breaks_off_what_is_under_way(
    server: FakeServer, ending: Callable[[Any], None]
) -> None:
    engine = opened(server, max_requests=4)
    before, server.shut_to = len(server.requests), "def f"
    others = set(threading.enumerate())
    first = Request("a", "the longest prompt, which is waited for", (0,))
    stream = engine.stream([first, Request("b", "def f", tuple(range(100)))], PLAIN)
    assert next(stream).task_id == "a"
    senders = [each for each in set(threading.enumerate()) - others if each.name == "codesample-server"]
    ending(stream)
    del stream
    # whoever sends is gone, though nothing that it sent is answered
    assert senders
    for sender in senders:
        sender.join(60)
        assert not sender.is_alive()
    server.gate.set()
    assert len(server.requests) - before <= 1 + 4
