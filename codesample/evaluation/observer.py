"""How a run tells whoever started it how far it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from codesample.records import Status, Verdict
from codesample.records.short import one_line
from codesample.records.validation import validated

__all__ = ["WEAK", "Observer", "Snapshot", "Tally", "is_graded"]

WEAK = "weak"
"""Integrity of a verdict of tests that ran beside the program."""


@validated
@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a run is.

    Attributes:
        problems_done: Problems whose every candidate has a verdict.
        candidates_done: Candidates with a verdict, those of an earlier part of a resumed run included.
        tokens: Drawn by this process so far.
        seconds: Since sampling began in this process.
        pass_at_1: Mean over problems of the share of judged candidates that passed; None before any verdict.
    """

    problems_done: int
    candidates_done: int
    tokens: int
    seconds: float
    pass_at_1: float | None

    __repr__ = one_line

    @property
    def tokens_per_second(self) -> float:
        """Sampling speed of this process; 0 before the first token."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0


class Observer:
    """Told what happens in a run, in the thread that runs it; this one ignores it all."""

    def planned(self, what: str) -> None:
        """Take note of what is run, in one line: the first thing that a run says."""

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        """Take note that the run folder exists and how much the run holds in all."""

    def notice(self, text: str) -> None:
        """Take note of something the user should know, one sentence."""

    def progress(self, snapshot: Snapshot) -> None:
        """Take note of progress; called often, after tokens as after verdicts."""

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        """Take note that a reranker has scored `done` of all the run's problems."""

    def stage(self, what: str, *, done: int, problems: int) -> None:
        """Take note of how far another stage is, such as "tests written": with `done` of its problems."""

    def table(self, text: str) -> None:
        """Take note of how far a table of runs is, one sentence: which run begins, and what came of it."""

    def fell_short(self, run: Path) -> None:
        """Take note that the results without rerankers that failed are written; those are raised next."""

    def withdrawn(self) -> None:
        """Take note that the engine refused what it was asked, and that the run folder is gone again."""

    def stopped(self) -> None:
        """Take note that nothing more comes, whether the run is complete or not."""


def is_graded(verdict: Verdict, *, strict: bool) -> bool:
    """Whether a verdict says something of its program.

    A harness error says nothing; where `strict`, neither does a pass of integrity "weak", which the program
    could have faked. A weak failure stays one: no program fakes its own.
    """
    if verdict.status is Status.HARNESS_ERROR:
        return False
    return not (strict and verdict.passed and verdict.integrity == WEAK)


class Tally:
    """Counts verdicts per problem while they come in.

    Args:
        expected: How many candidates each task id will have.
        strict: As for `is_graded`.
    """

    def __init__(self, expected: dict[str, int], *, strict: bool = False) -> None:
        self._strict = strict
        self._open = dict(expected)
        self._judged, self._passed = dict.fromkeys(expected, 0), dict.fromkeys(expected, 0)
        self.candidates_done = 0
        self.problems_done = sum(count == 0 for count in expected.values())

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count `verdicts`; one that is no grade completes its candidate all the same."""
        for verdict in verdicts:
            self.candidates_done += 1
            self._open[verdict.task_id] -= 1
            self.problems_done += self._open[verdict.task_id] == 0
            if is_graded(verdict, strict=self._strict):
                self._judged[verdict.task_id] += 1
                self._passed[verdict.task_id] += verdict.passed

    def pass_at_1(self) -> float | None:
        """Return the mean over problems of the share of judged candidates that passed; None before any."""
        shares = [self._passed[name] / judged for name, judged in self._judged.items() if judged]
        return sum(shares) / len(shares) if shares else None
