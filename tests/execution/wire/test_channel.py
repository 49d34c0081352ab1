"""Messages are cut out of a stream however it arrives."""

from __future__ import annotations

import _socket
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.execution.wire.channel import Frames, frame, receive


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(1, 20), min_size=1))
def test_messages_survive_any_cutting(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(body) for body in bodies)
    frames = Frames(max_bytes=100)
    got = []
    at = step = 0
    while at < len(stream):
        size = cuts[step % len(cuts)]
        frames.feed(stream[at : at + size])
        at, step = at + size, step + 1
        while (body := frames.next()) is not None:
            got.append(body)
    assert got == bodies


def test_an_announcement_beyond_the_limit_is_refused_before_the_bytes_come() -> None:
    frames = Frames(max_bytes=10)
    frames.feed(b"\xff\xff\xff\xff")
    with pytest.raises(OverflowError, match="at most 10"):
        frames.next()


def test_blocking_receive_returns_none_at_the_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(frame(b"abc") + b"\0\0")
        theirs.shutdown(socket.SHUT_WR)
        reader = _socket.socket(fileno=ours.detach())
        assert receive(reader) == b"abc"
        assert receive(reader) is None
        reader.close()
