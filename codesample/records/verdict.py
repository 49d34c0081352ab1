"""What came of running one program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from codesample.records.short import short
from codesample.records.validation import validated

__all__ = ["Status", "Verdict"]


class Status(StrEnum):
    """Outcome of one program. Only HARNESS_ERROR says nothing about the program."""

    PASSED = "passed"
    WRONG = "wrong"
    ERROR = "error"
    CPU_TIMEOUT = "cpu_timeout"
    WALL_TIMEOUT = "wall_timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"
    UNSUPPORTED_VALUE = "unsupported_value"
    HARNESS_ERROR = "harness_error"


@validated
@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of running one program against hidden tests.

    Attributes:
        task_id, index: Which candidate.
        status: See `Status`.
        cpu_seconds: User plus system time of the program's process.
        wall_seconds: Wall time less the time spent waiting for a core.
        peak_memory: Peak resident set in bytes; None where it could not be read.
        detail: First lines of the traceback or the limit that was hit; never trusted.
        checks: Whether each check of the tests held, in order; one not reached counts as failed. () where
            the tests have no checks of their own, and for HARNESS_ERROR.
        integrity: "split", "io" or "weak" (tests ran beside the program).
        first_try: The time limit that a first try hit while the machine was busy, where there was one; this
            verdict is then that of a second try, for which the judge did nothing else.
    """

    task_id: str
    index: int
    status: Status
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory: int | None = None
    detail: str = ""
    checks: tuple[bool, ...] = ()
    integrity: str = "split"
    first_try: Status | None = None

    def __repr__(self) -> str:
        parts = [short(self.task_id), f"{self.index}", f"{self.status}"]
        if self.detail:
            parts.append(short(self.detail))
        if self.checks:
            parts.append(f"{sum(self.checks)} of {len(self.checks)} checks held")
        return f"Verdict({', '.join(parts)})"

    @property
    def passed(self) -> bool:
        """Whether every hidden test held."""
        return self.status is Status.PASSED
