"""One caller's call: what it asks for, and what has come of it, handed from the decode thread to the caller.

The decode thread puts, any thread or event loop takes. What is not taken is bounded: of a stream of
candidates, by the buffer, beyond which no further candidate begins; of a stream of text, by what the rows
hold that live, since the pieces of one candidate are joined until they are taken.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from codesample.errors import CallEndedError, DeadlineError, StreamCancelledError
from codesample.records import Candidate, Request, SamplingParams
from codesample.sampling.logit_edits import LogitsProcessor
from codesample.sampling.rows import Row

__all__ = ["CandidateCall", "ClientCall", "Ended"]

T = TypeVar("T")
Notify = Callable[[], None]


class Ended(Exception):
    """Everything has been taken."""


@dataclass(frozen=True)
class Asked:
    """What is asked for.

    Attributes:
        requests, params, processors: See `Sampler.stream`.
        deadline: Seconds from now after which nothing more is drawn; None for no limit.
    """

    requests: tuple[Request, ...]
    params: SamplingParams
    processors: tuple[LogitsProcessor, ...] = ()
    deadline: float | None = None


class ClientCall(Generic[T]):
    """What both sides know of a call; see `Caller` for the side of the decode thread.

    Args:
        asked: What for.
        buffer: Items that may wait to be taken before no further candidate begins.
    Attributes:
        asked: As given.
        ends_at: When the deadline passes, as `time.monotonic` counts; None without one.
        begun: Whether a candidate of it has.
        released: Whether the decode thread holds nothing of it any more.
        on_change: Told where the decode thread has something to do: to drop it, or to go on with it.
    """

    def __init__(self, asked: Asked, *, buffer: int) -> None:
        self.asked, self._buffer = asked, buffer
        self.ends_at = None if asked.deadline is None else monotonic() + asked.deadline
        self.begun = self.released = False
        self.on_change: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._notified: list[Notify] = []
        self._finished: list[Candidate] = []
        self._error: BaseException | None = None
        self._at_once = False

    # what subclasses keep until it is taken

    def _waiting(self) -> int:
        raise NotImplementedError

    def _put(self, candidate: Candidate) -> None:
        raise NotImplementedError

    def _pop(self) -> T:
        raise NotImplementedError

    # the side of the decode thread

    @property
    def paused(self) -> bool:
        """Whether no further candidate may begin, since the caller has not taken what is there."""
        return self._waiting() >= self._buffer

    def finish(self, candidate: Candidate) -> None:
        """Take a finished candidate."""
        with self._lock:
            self.begun = True
            self._finished.append(candidate)
            self._put(candidate)
        self._notify()

    def grow(self, row: Row) -> None:
        """Take one more token of a candidate that goes on."""
        self.begun = True

    def fail(self, error: BaseException) -> None:
        """Take why nothing more will come; what has finished can be taken all the same."""
        with self._lock:
            self._error = self._error or error
            if isinstance(error, CallEndedError):
                error.candidates = tuple(self._finished)

    def end(self) -> None:
        """Be told that the decode thread holds nothing of it any more."""
        with self._lock:
            self.released = True
        self._notify()

    # the caller's side

    @property
    def finished(self) -> tuple[Candidate, ...]:
        """What has finished so far, taken or not."""
        with self._lock:
            return tuple(self._finished)

    @property
    def stopped(self) -> bool:
        """Whether the caller wants nothing more of it: it was cancelled, or its deadline passed."""
        return self._at_once

    def take(self, notify: Notify) -> T | None:
        """Return the next item; where there is none yet, None, and `notify` is called once there may be.

        Raises:
            Ended: there is nothing more to come.
            CallEndedError: it was cancelled, its deadline passed, or the service was closed.
            CodesampleError: why it failed, after everything that came before.
        """
        with self._lock:
            if self._error is not None and (self._at_once or not self._waiting()):
                raise self._error
            if self._waiting():
                full = self.paused
                item = self._pop()
                goes_on = full and not self.paused
            elif self.released:
                raise Ended
            else:
                self._notified.append(notify)
                return None
        if goes_on:
            self.on_change()
        return item

    def when_released(self, notify: Notify) -> bool:
        """Return whether the decode thread holds nothing of it; else `notify` is called once it may be so."""
        with self._lock:
            if not self.released:
                self._notified.append(notify)
            return self.released

    def cancel(self) -> None:
        """End it now; its rows are free before the next step."""
        self._stop(StreamCancelledError("this stream was cancelled: its caller has left it"))

    def expire(self) -> None:
        """End it now where its deadline has passed."""
        if self.ends_at is not None and monotonic() >= self.ends_at:
            came, wanted = len(self._finished), sum(len(each.indices) for each in self.asked.requests)
            self._stop(
                DeadlineError(
                    f"the deadline of {self.asked.deadline:g} s passed with {came} of {wanted} candidates "
                    "finished, which are in `candidates`; ask for fewer or shorter ones, or for more time"
                )
            )

    def _stop(self, error: CallEndedError) -> None:
        with self._lock:
            if self.released or self._at_once:
                return
            self._error, self._at_once = error, True
            error.candidates = tuple(self._finished)
        self.on_change()
        self._notify()

    def _notify(self) -> None:
        with self._lock:
            notified, self._notified = self._notified, []
        for notify in notified:
            notify()


class CandidateCall(ClientCall[Candidate]):
    """A call whose caller takes whole candidates."""

    def __init__(self, asked: Asked, *, buffer: int) -> None:
        super().__init__(asked, buffer=buffer)
        self._items: deque[Candidate] = deque()

    def _waiting(self) -> int:
        return len(self._items)

    def _put(self, candidate: Candidate) -> None:
        self._items.append(candidate)

    def _pop(self) -> Candidate:
        return self._items.popleft()
