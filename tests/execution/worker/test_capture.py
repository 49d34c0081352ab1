"""What a process writes is kept up to a size, or from it back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from codesample.execution.worker.capture import Capture


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def test_all_is_kept_until_nobody_can_write(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    capture = Capture(reader, 10)
    assert not capture.take()
    assert not capture.ended
    os.write(writer, b"12345")
    assert capture.take()
    os.write(writer, b"67890")
    assert capture.take()
    assert not capture.take()
    assert not capture.ended
    os.close(writer)
    assert not capture.take()
    assert capture.ended
    assert capture.data == b"1234567890"


def test_more_than_is_kept_is_refused(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    capture = Capture(reader, 10)
    os.write(writer, b"x" * 11)
    with pytest.raises(OverflowError, match="printed more than 10 bytes"):
        capture.take()
    os.close(writer)


def test_the_last_bytes_are_kept_where_that_is_asked_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    capture = Capture(reader, 4, last=True)
    for part in (b"123", b"456", b"7890123"):
        os.write(writer, part)
        assert capture.take()
    assert capture.data == b"0123"
    os.close(writer)
