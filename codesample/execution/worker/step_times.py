"""How long each step of the tests keeps a program busy, and when the present one has taken too long.

A step is what the tests ask of the program between two points that they name themselves: loading it, one
check, one part of a batch. The clock is the kernel's, of the program's process; nothing that the program
says counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from codesample.execution.limits import wall_for
from codesample.records import Status

__all__ = ["StepTimes", "unbounded"]


def unbounded(step: int) -> float:
    """Allow any step any time."""
    return math.inf


class StepTimes:
    """Times the steps of one process; all that it is given are that process's clocks.

    Attributes:
        allowance: CPU seconds for each step, by its number; infinite where only the limits bound it.
        began: CPU seconds that the program had used at the beginning of each step.
        cpu_end, wall_end: What the clocks may not reach before the next step; infinite without steps.
        overran: Whether a step took more than it was allowed.
    """

    def __init__(self) -> None:
        self.allowance: Callable[[int], float] = unbounded
        self.began: list[float] = []
        self.overran = False
        self.cpu_end = self.wall_end = math.inf
        self._allowed = math.inf

    def begin(self, cpu_seconds: float, wall_seconds: float) -> None:
        """Begin the next step, the clocks standing at this."""
        self.began.append(cpu_seconds)
        self.renew(cpu_seconds, wall_seconds, self.allowance(len(self.began) - 1))

    def renew(self, cpu_seconds: float, wall_seconds: float, allowed: float) -> None:
        """Let the present step go on for `allowed` CPU seconds, and wall seconds to match."""
        self._allowed = allowed
        self.cpu_end = cpu_seconds + allowed
        self.wall_end = wall_seconds + wall_for(allowed)

    def excess(self, cpu_seconds: float, wall_seconds: float) -> tuple[Status, str] | None:
        """Say that time is up, the clocks standing at this, and note it; None while it is not."""
        if cpu_seconds >= self.cpu_end:
            status, most, clock = Status.CPU_TIMEOUT, self._allowed, "CPU"
        elif wall_seconds >= self.wall_end:
            status, most, clock = Status.WALL_TIMEOUT, wall_for(self._allowed), "wall"
        else:
            return None
        self.overran = True
        return status, f"stopped after {most:g} {clock} seconds in one step of the tests"

    def taken(self, cpu_seconds: float) -> list[float]:
        """Return the CPU seconds of each step, where the process used `cpu_seconds` in all."""
        ends = [*self.began[1:], cpu_seconds]
        return (
            [max(0.0, end - began) for began, end in zip(self.began, ends, strict=True)] if self.began else []
        )
