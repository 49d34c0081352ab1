"""A future and a latch whose locks no exception leaves taken, wherever a signal's handler raises it."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from types import FrameType
from typing import Any

import pytest

from codesample.execution.caller.awaited import Awaited, Latch

CALLS: dict[str, Callable[[Future[int]], object]] = {
    "add_done_callback": lambda future: future.add_done_callback(id),
    "cancel": lambda future: future.cancel(),
    "done": lambda future: future.done(),
    "set_result": lambda future: future.set_result(1),
    "result": lambda future: future.result(0.0),
}


def left_locked(kind: type[Future[int]], call: Callable[[Future[int]], object]) -> list[int]:
    """Interrupt a call at each of its moments in turn; return those after which others would wait for ever.

    Python looks for signals where a function of its own begins and behind each call into C.
    """
    found = []
    before = sys.getprofile()
    for moment in itertools.count():
        future, left = kind(), moment

        def look(frame: FrameType, event: str, argument: Any) -> None:
            nonlocal left
            if event in ("call", "c_return"):
                left -= 1
                if left == -1:
                    raise KeyboardInterrupt

        try:
            sys.setprofile(look)
            call(future)
        except (KeyboardInterrupt, TimeoutError):
            pass
        finally:
            sys.setprofile(before)
        if left >= 0:
            return found
        if not free(future):
            found.append(moment)
    raise AssertionError


def free(future: Future[int]) -> bool:
    """Whether another thread can take the future's lock."""
    took: list[bool] = []
    other = threading.Thread(target=lambda: took.append(future._condition.acquire(blocking=False)))
    other.start()
    other.join()
    return took[0]


@pytest.mark.parametrize("name", CALLS)
def test_no_interruption_leaves_a_future_locked(name: str) -> None:
    assert left_locked(Awaited, CALLS[name]) == []


def test_a_plain_future_is_left_locked_by_some() -> None:
    assert left_locked(Future, CALLS["cancel"])


def test_a_future_is_waited_for_as_ever() -> None:
    future: Awaited[int] = Awaited()
    with pytest.raises(TimeoutError):
        future.result(0.01)
    with pytest.raises(TimeoutError):
        future.exception(0)
    threading.Timer(0.05, future.set_result, [7]).start()
    assert future.result() == 7
    assert future.exception() is None
    cancelled: Awaited[int] = Awaited()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        cancelled.result()
    failed: Awaited[int] = Awaited()
    failed.set_exception(ValueError("x"))
    with pytest.raises(ValueError, match="x"):
        failed.result(1)


def test_an_orphan_is_settled_and_calls_nobody_back() -> None:
    called: list[object] = []
    future: Awaited[int] = Awaited()
    future.add_done_callback(called.append)
    # as a thread that a fork left behind
    threading.Thread(target=future._condition.acquire).start()
    future.orphan(ValueError("forked"))
    with pytest.raises(ValueError, match="forked"):
        future.result(1)
    assert called == []
    settled: Awaited[int] = Awaited()
    settled.set_result(3)
    settled.orphan(ValueError("forked"))
    assert settled.result() == 3


def test_a_latch_wakes_everyone_who_waits() -> None:
    latch, state = Latch(), {"open": False}
    assert not latch.wait_for(lambda: state["open"], seconds=0.01)
    through: list[bool] = []
    waiting = [
        threading.Thread(target=lambda: through.append(latch.wait_for(lambda: state["open"])))
        for _ in range(3)
    ]
    for each in waiting:
        each.start()
    state["open"] = True
    began = time.monotonic()
    latch.call()
    latch.call()
    for each in waiting:
        each.join(10)
    assert through == [True] * 3
    assert time.monotonic() - began < 5
