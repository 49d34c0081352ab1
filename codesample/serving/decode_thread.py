"""The thread that owns the model: it takes calls in, steps, and lets go of what nobody wants any more."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from codesample.errors import CodesampleError, ModelError, ServiceBusyError, ServiceClosedError
from codesample.records.counted import counted
from codesample.records.validation import validated
from codesample.sampling.running_loop import RunningLoop, expect_whole
from codesample.sampling.sampler import Sampler
from codesample.serving.client_call import ClientCall

__all__ = ["DecodeThread", "ServiceLoad"]

_log = logging.getLogger("codesample.serving")
_started: weakref.WeakSet[DecodeThread] = weakref.WeakSet()
# seconds that a process waits at its end for the step that is running
_PATIENCE = 30


@validated
class ServiceLoad(NamedTuple):
    """What a service has to do now.

    Attributes:
        calls: Calls that it has taken in and not done with.
        waiting: Of these, how many have not got a first token.
        rows: Candidates that decode together.
    """

    calls: int
    waiting: int
    rows: int


class DecodeThread:
    """Serves calls of any thread. It starts with the first one, or when it is asked to.

    Args:
        open_sampler: Called in the thread.
        max_waiting: Calls that may wait for their first token; None for any number.
    """

    def __init__(self, open_sampler: Callable[[], Sampler], *, max_waiting: int | None) -> None:
        self._open, self._max_waiting = open_sampler, max_waiting
        self._changed = threading.Condition()
        self._calls: dict[ClientCall[Any], bool] = {}  # with whether the loop has them
        self._dirty = self._closing = False
        self._over: Exception | None = None
        self._sampler: Sampler | None = None
        self._opened = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: RunningLoop | None = None
        self._next_deadline = float("inf")
        self._process = os.getpid()

    def start(self) -> None:
        """Start, unless it has started.

        Raises:
            ServiceClosedError: it is closed, or the model failed.
            ModelError: this is a process that was forked from the one that it was made in.
        """
        if os.getpid() != self._process:
            raise ModelError(
                "this AsyncSampler was made in another process, and its thread does not survive a fork; make "
                'it in this process, or start processes by "spawn"'
            )
        with self._changed:
            self._refuse_if_over()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="codesample-decode", daemon=True)
                self._thread.start()
                _started.add(self)

    def sampler(self) -> Sampler:
        """Return the sampler; waits until it is open.

        Raises:
            CodesampleError: as opening it, or see `start`.
        """
        self.start()
        self._opened.wait()
        if self._sampler is None:
            assert self._over is not None
            raise _own(self._over)
        return self._sampler

    def submit(self, call: ClientCall[Any]) -> None:
        """Take a call in; returns at once.

        Raises:
            ServiceBusyError: as many calls wait as may.
            ServiceClosedError, ModelError: see `start`.
        """
        self.start()
        with self._changed:
            self._refuse_if_over()
            waiting = self._waiting()
            if self._max_waiting is not None and waiting >= self._max_waiting:
                raise ServiceBusyError(
                    f"{waiting} calls wait for their first token, and max_waiting = {self._max_waiting}; try "
                    "again later"
                )
            call.on_change = self.wake
            self._calls[call] = False
            self._wake()

    def wake(self) -> None:
        """Have it look at its calls before the next step."""
        with self._changed:
            self._wake()

    def _wake(self) -> None:
        self._dirty = True
        self._changed.notify()

    @property
    def load(self) -> ServiceLoad:
        """What there is to do now."""
        with self._changed:
            calls = sum(not call.released for call in self._calls)
            return ServiceLoad(calls, self._waiting(), self._loop.live if self._loop is not None else 0)

    @property
    def state(self) -> str:
        """What it does now, in words."""
        if self._over is not None:
            by_close = isinstance(self._over, ServiceClosedError) and self._over.__cause__ is None
            return "closed" if by_close else "failed"
        if self._sampler is None:
            return "not loaded"
        calls, waiting, rows = self.load
        return f"{counted(calls, 'call')}, {waiting} waiting, {rows} rows"

    def _waiting(self) -> int:
        return sum(not (call.begun or call.released) for call in self._calls)

    def close(self) -> None:
        """End all calls and the thread, before its next step; may be called again. Does not wait for it."""
        with self._changed:
            self._closing = True
            self._over = self._over or ServiceClosedError("this AsyncSampler is closed; make a new one")
            self._changed.notify()
            if self._thread is None:
                self._opened.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, if it was started."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _refuse_if_over(self) -> None:
        if self._over is not None:
            raise _own(self._over)

    def _run(self) -> None:
        try:
            opened = self._open()
            expect_whole(opened)
            self._sampler = opened
        except BaseException as error:
            self._end(error)
            return
        finally:
            self._opened.set()
        self._loop = RunningLoop(self._sampler)
        try:
            while self._serve(self._loop):
                pass
        except BaseException as error:
            _log.exception("the model failed; every call ends")
            self._end(error)
        else:
            self._end(None)

    def _serve(self, loop: RunningLoop) -> bool:
        with self._changed:
            while not (self._dirty or self._closing or loop.can_advance):
                left = self._next_deadline - monotonic()
                if left <= 0:
                    break
                self._changed.wait(None if left == float("inf") else left)
            self._dirty = False
            if self._closing:
                return False
            calls = dict(self._calls)
        self._look_at(calls, loop)
        if loop.can_advance:
            loop.advance(self._wanted)
        return True

    def _wanted(self) -> bool:
        return self._dirty or self._closing or monotonic() >= self._next_deadline

    def _look_at(self, calls: dict[ClientCall[Any], bool], loop: RunningLoop) -> None:
        """Take new calls in, and drop those that were cancelled or whose deadline has passed."""
        for call, taken in calls.items():
            call.expire()
            if call.stopped and not taken:
                call.end()
            elif call.stopped:
                loop.drop(call)
            elif not taken:
                asked = call.asked
                loop.add(call, asked.requests, asked.params, asked.processors)
        with self._changed:
            self._calls = {call: call in calls for call in self._calls if not call.released}
            self._next_deadline = min(
                (call.ends_at for call in self._calls if call.ends_at is not None), default=float("inf")
            )

    def _end(self, error: BaseException | None) -> None:
        """Tell every caller that this is over, and why; later ones are told the same."""
        with self._changed:
            if error is not None:
                self._over = _told(error, opened=self._sampler is not None)
            calls, self._calls = self._calls, {}
            self._loop = None
        assert self._over is not None
        for call in calls:
            if not call.released:
                call.fail(_own(self._over))
                call.end()


def _own(error: Exception) -> Exception:
    """Return an error that one caller may keep: its candidates are not those of another."""
    if not isinstance(error, ServiceClosedError):
        return error
    own = ServiceClosedError(*error.args)
    own.__cause__ = error.__cause__
    return own


def _told(error: BaseException, *, opened: bool) -> Exception:
    if not opened and isinstance(error, CodesampleError):
        return error
    told = ServiceClosedError(
        f"the model failed, and this AsyncSampler with it: {type(error).__name__}: {error}; make a new one"
    )
    told.__cause__ = error
    return told


@atexit.register
def _close_all() -> None:
    # a thread that computes while the interpreter is taken down would crash it
    for thread in list(_started):
        thread.close()
        thread.join(_PATIENCE)
