"""How much time a call of the GPU benchmark has left, and how long its cells really take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Clock"]

# what is written after the last cell, and the process's own end
_SPARE_SECONDS = 3.0
# a cell that was quicker than thought makes the next of its kind no quicker than this part
_LEAST_PACE = 0.5
# what takes so many times as long as it should, and so many seconds at least, does not end by itself; nor is
# it waited for longer than so many seconds past the end
_PATIENCE, _LEAST_PATIENCE, _GRACE = 4.0, 60.0, 30.0


@dataclass
class Clock:
    """How long a call may go on, and how far off the expected times of each kind of cell have been.

    Attributes:
        seconds: From `begun` on.
        now: Reads the clock.
        begun: When the command began.
    """

    seconds: float
    now: Callable[[], float] = time.monotonic
    begun: float = field(default_factory=time.monotonic)
    _pace: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds that may still be used."""
        return self.begun + self.seconds - _SPARE_SECONDS - self.now()

    def expected(self, kind: str, seconds: float) -> float:
        """Return how long a cell should take, after how long the latest of its kind took."""
        return seconds * self._pace.get(kind, 1.0)

    def patience(self, expected: float) -> float:
        """Return how many seconds something may take that should take `expected`, before it is given up."""
        return min(max(_LEAST_PATIENCE, _PATIENCE * expected), max(0.0, self.left) + _SPARE_SECONDS + _GRACE)

    def learn(self, kind: str, seconds: float, took: float) -> None:
        """Keep how far off an expectation was."""
        self._pace[kind] = max(_LEAST_PACE, took / seconds)
