"""No reply of a program can make its stand-in do anything but return plain data, raise, or stop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.execution import codec
from codesample.execution.proxy import Handle, Remote
from codesample.execution.session import ProgramStopped
from codesample.records import Status


class ScriptedSession:
    """Answers every request with the next of some given messages."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.ended: BaseException | None = None

    def send(self, request: bytes) -> None:
        self.requests.append(request)

    def receive(self) -> bytes:
        return self.replies.pop(0)

    def exchange(self, request: bytes) -> bytes:
        self.send(request)
        return self.receive()

    def stop(self, status: Status, detail: str) -> None:
        self.ended = ProgramStopped(status, detail)
        raise self.ended


def remote(*replies: bytes) -> Remote:
    return Remote(ScriptedSession(*replies))  # type: ignore[arg-type]


WORDS = ["value", "raise", "refused", "large", "SystemExit", "StopIteration", "UnicodeDecodeError", "eval"]
plain = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=3)
json_like = st.recursive(
    plain | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("tsfdbacinh"), inner, max_size=1)
    ),
    max_leaves=10,
)
replies = st.one_of(
    st.binary(max_size=60),
    json_like.map(lambda tree: json.dumps(tree).encode()),
    st.tuples(st.sampled_from(["value", "raise", "refused", "large"]), json_like, json_like, json_like).map(
        lambda parts: json.dumps(parts).encode()
    ),
)


@settings(max_examples=200)
@given(replies)
def test_any_reply_is_a_value_an_exception_or_the_end(reply: bytes) -> None:
    program = remote(reply)
    outcome: Any = None
    try:
        value = program.perform("call", 1)
    except (ProgramStopped, Exception) as error:
        outcome = error
    if isinstance(outcome, ProgramStopped):
        assert outcome.status is not Status.PASSED
    elif outcome is not None:
        assert outcome is program.raised
        assert not isinstance(outcome, (StopIteration, StopAsyncIteration))
    else:
        codec.encode(
            value, lambda item: {"h": 0} if type(item) is Handle else pytest.fail(f"{item!r} crossed")
        )


@settings(max_examples=100)
@given(st.lists(replies, min_size=3, max_size=3), st.integers(1, 3))
def test_any_batch_yields_as_many_replies_as_inputs_or_stops(messages: list[bytes], count: int) -> None:
    program = remote(*messages)
    function = Handle(program, 0, "function")
    try:
        got = list(program.batch(function, b"[]", count))
    except (ProgramStopped, IndexError):
        return
    assert len(got) == count


@pytest.mark.parametrize(
    "kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException", "eval", "nonsense"]
)
def test_what_is_no_exception_ends_the_program(kind: str) -> None:
    with pytest.raises(ProgramStopped) as caught:
        remote(json.dumps(["raise", kind, [], "line 1"]).encode()).perform("call", 1)
    assert caught.value.status is Status.ERROR


def test_exceptions_arrive_with_their_arguments_and_their_place() -> None:
    reply = json.dumps(["raise", "KeyError", ["missing", 3], "line 7, in f"]).encode()
    with pytest.raises(KeyError) as caught:
        remote(reply).perform("call", 1)
    assert caught.value.args == ("missing", 3)
    assert caught.value.__notes__ == ["line 7, in f"]


def test_exceptions_that_cannot_be_built_arrive_as_runtime_errors() -> None:
    with pytest.raises(RuntimeError):
        remote(b'["raise","UnicodeDecodeError",[1],"x"]').perform("call", 1)


def test_a_handle_equals_itself_and_nothing_else() -> None:
    program = remote()
    one, twin, other = Handle(program, 1, "Match"), Handle(program, 1, "Match"), Handle(program, 2, "Match")
    assert one == twin
    assert hash(one) == hash(twin)
    assert one != other
    assert bool(one)
    assert not program.met_opaque
    for value in (True, 1, 0, "", None, [one], "Match", int):
        assert one != value
    assert program.met_opaque


@pytest.mark.parametrize(
    "use",
    [abs, int, float, lambda h: h < 1, lambda h: h + 1, lambda h: 1 - h, lambda h: -h, lambda h: round(h)],
)
def test_computing_with_a_handle_fails_and_is_noticed(use: Any) -> None:
    program = remote()
    with pytest.raises(TypeError):
        use(Handle(program, 1, "object"))
    assert program.met_opaque


def test_handles_cannot_be_inspected_locally() -> None:
    handle = Handle(remote(), 1, "object")
    for name in ("__array__", "__float__x", "__iter_x__", "_codesample_secret"):
        with pytest.raises(AttributeError):
            getattr(handle, name)


def test_tests_that_hand_over_functions_are_told_so() -> None:
    program = remote()
    with pytest.raises(ProgramStopped, match="hand over what cannot cross"):
        Handle(program, 1, "function")(lambda: 0)
