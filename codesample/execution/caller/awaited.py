"""What threads wait for here: safe where a signal's handler raises in the middle, and in a forked process.

`threading.Condition` is neither by itself. Its `__enter__` is Python, and Ctrl-C raised behind its only
statement leaves the lock taken for ever: whoever settles the future then waits with it. A signal that comes
between Python's last look for one and the call that blocks is not seen until that call ends: so nothing
here blocks for long. A fork copies locks as they are, and not the threads that would release them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

__all__ = ["Awaited", "Latch"]

_LOOK_SECONDS = 0.1
_T = TypeVar("_T")


class Latch:
    """Lets threads wait until something holds; no exception out of a handler can leave it locked."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def call(self) -> None:
        """Have those who wait look."""
        if self._calls.empty():
            self._calls.put(None)

    def wait_for(self, holds: Callable[[], bool], *, seconds: float | None = None) -> bool:
        """Wait until `holds()`, at most so many `seconds`; return whether it does."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        while not holds():
            left = end - time.monotonic()
            if left <= 0:
                return False
            try:
                self._calls.get(timeout=min(left, _LOOK_SECONDS))
            except Empty:
                continue
        # whoever was called calls the next
        self.call()
        return True


class _Guarded(threading.Condition):
    """A condition that `with` enters by a single call into C, in which no handler runs."""

    __enter__: Any = property(attrgetter("_lock.__enter__"))
    __exit__: Any = property(attrgetter("_lock.__exit__"))

    def __init__(self) -> None:
        super().__init__()
        self.latch = Latch()

    def notify_all(self) -> None:
        super().notify_all()
        self.latch.call()


class Awaited(Future[_T]):
    """A future whose lock no exception leaves taken."""

    def __init__(self) -> None:
        super().__init__()
        self._condition: _Guarded = _Guarded()

    def result(self, timeout: float | None = None) -> _T:
        """As a future's, looking for signals meanwhile."""
        self._wait(timeout)
        return super().result()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As a future's, looking for signals meanwhile."""
        self._wait(timeout)
        return super().exception()

    def _wait(self, timeout: float | None) -> None:
        if not self._condition.latch.wait_for(self.done, seconds=timeout):
            raise TimeoutError

    def orphan(self, error: Exception) -> None:
        """Settle the copy of this future in a forked process, where nothing else would; calls nobody back."""
        self._condition = _Guarded()
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []
        if not self.done():
            self.set_exception(error)
