"""Results wait for whoever fetches them: bounded, gathered, and errors as data."""

from __future__ import annotations

import threading
import time

import pytest

from codesample.distributed.mailbox import Failure, Mailbox, linger
from codesample.errors import CodesampleError, ModelError, ParameterError, UnknownNameError


def test_what_is_there_is_returned_at_once_and_nothing_after_its_time() -> None:
    box = Mailbox()
    assert box.take(seconds=0.01, linger=0) == []
    for each in range(3):
        assert box.put(each)
    assert box.take(seconds=5, linger=0) == [0, 1, 2]


def test_others_are_waited_for_once_the_first_is_there() -> None:
    box = Mailbox()
    later = threading.Timer(0.1, lambda: box.put("second"))
    box.put("first")
    later.start()
    assert box.take(seconds=0, linger=10, enough=2) == ["first", "second"]
    later.join()


def test_nothing_is_waited_for_behind_the_last() -> None:
    box = Mailbox()
    for each in (1, 2, "end", 3):
        box.put(each)
    began = time.monotonic()
    assert box.take(seconds=0, linger=30, last=lambda item: item == "end") == [1, 2, "end"]
    assert time.monotonic() - began < 10


def test_whoever_fills_it_waits_and_can_give_up() -> None:
    box, over = Mailbox(1), threading.Event()
    assert box.put(1)
    done: list[bool] = []
    waits = threading.Thread(target=lambda: done.append(box.put(2, unless=over.is_set)))
    waits.start()
    over.set()
    waits.join(10)
    assert done == [False]
    assert box.take(seconds=0, linger=0) == [1]


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ParameterError("too long"), ParameterError, "too long"),
        (ModelError("no memory"), ModelError, "no memory"),
        # neither can be pickled as it is
        (UnknownNameError("model", "tinny", ["tiny"]), ModelError, "did you mean 'tiny'?"),
        (OSError(28, "No space left"), ModelError, "OSError: [Errno 28] No space left"),
    ],
)
def test_an_error_travels_as_what_it_says(error: Exception, raised: type[CodesampleError], said: str) -> None:
    found = Failure.of(error).raised()
    assert type(found) is raised
    assert said in str(found)


def test_a_driver_is_asked_no_more_often_however_many_actors_there_are() -> None:
    assert all(actors / linger(actors) <= 100 for actors in (1, 8, 64, 512, 4096))
