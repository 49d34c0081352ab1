"""How long a step of the tests may take: a second, or ten times what a reference took for it.

Tests by inputs run their reference anyway, for what it returns. Where it serves for nothing but its times,
it runs once a program has taken a second for a step, and not before: most programs never do. If it took
more than a tenth of a second for that step, the program is judged again, in the time that this grants.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from codesample.execution.worker.checklist import Judged
from codesample.execution.worker.step_times import unbounded
from codesample.records import CodeTests

__all__ = ["LEAST_SECONDS", "Pace", "allowed", "pace_of"]

LEAST_SECONDS = 1.0
"""CPU seconds that any step has."""

_TIMES_THE_REFERENCE = 10.0

Run = Callable[[str, Callable[[int], float]], Judged]


def allowed(reference_seconds: float) -> float:
    """Return the CPU seconds of a step for which the reference took so many."""
    return max(LEAST_SECONDS, _TIMES_THE_REFERENCE * reference_seconds)


class Pace:
    """The time of each step of one problem's tests.

    Args:
        reference: A program that passes; trusted, and run for its times alone. Without one only the limits
            bound a step.
    """

    def __init__(self, reference: str | None) -> None:
        self._reference = reference
        self._taken: list[float] | None = None

    def judge(self, source: str, run: Run) -> Judged:
        """Judge a program, each step in its time.

        Args:
            source: The program.
            run: Judges a source, given the CPU seconds for each step by its number.

        Raises:
            TestsFault, HarnessFault, CallerGone: as `run`.
        """
        if self._reference is None:
            return run(source, unbounded)
        judged = run(source, self.seconds)
        if not judged.overran or self._taken is not None:
            return judged
        self._taken = run(self._reference, unbounded).steps
        # the step that took too long is the last
        if self.seconds(len(judged.steps) - 1) <= LEAST_SECONDS:
            return judged
        return run(source, self.seconds)

    def seconds(self, step: int) -> float:
        """Return the CPU seconds for a step; infinite where a reference that was run did not get there."""
        if self._taken is None:
            return LEAST_SECONDS
        return allowed(self._taken[step]) if step < len(self._taken) else math.inf


def pace_of(tests: CodeTests) -> Pace:
    """Return the pace of tests; those that state a time limit have said how long a step may take."""
    return Pace(tests.reference if tests.time_limit is None else None)
