"""A lock that threads get in the order in which they ask for it, and that its owner may take again.

Python's own lock goes to whichever thread is quickest, which is the one that has just given it back: a thread
that decodes step after step would keep all others out.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

__all__ = ["TurnLock"]


class TurnLock:
    """A reentrant lock, first come, first served."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._queue: deque[tuple[int, threading.Event]] = deque()

    @property
    def held_elsewhere(self) -> bool:
        """Whether another thread has it."""
        return self._owner not in (None, threading.get_ident())

    @property
    def wanted(self) -> bool:
        """Whether another thread waits for it."""
        return bool(self._queue)

    def __enter__(self) -> TurnLock:
        me = threading.get_ident()
        with self._guard:
            if self._owner in (None, me):
                self._owner = me
                self._depth += 1
                return self
            turn = (me, threading.Event())
            self._queue.append(turn)
        try:
            turn[1].wait()
        except BaseException:
            # an interruption while it waits; it may have been handed over by now
            with self._guard:
                if turn in self._queue:
                    self._queue.remove(turn)
                else:
                    self._hand_over()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with self._guard:
            self._depth -= 1
            if not self._depth:
                self._hand_over()

    def _hand_over(self) -> None:
        self._owner, self._depth = None, 0
        if self._queue:
            self._owner, turn = self._queue.popleft()
            self._depth = 1
            turn.set()
