"""One sample on its way to a grade: its program, how that was found, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from codesample.execution.judge import Program
from codesample.records import Status, Verdict
from codesample.rewards.asked import Asked

__all__ = ["Job", "Sample", "job_of"]

# no program worth a reward is longer, and a message to a worker has its limit
_LONGEST_PROGRAM = 1_000_000


class Sample(NamedTuple):
    """What a model wrote, and the row of the data set that it was asked by.

    Attributes:
        completion: A text, or messages.
        row: By column.
        prompt: As the trainer has it; None where it does not say.
    """

    completion: Any
    row: Mapping[str, Any]
    prompt: Any = None


@dataclass(slots=True)
class Job:
    """A program to be judged.

    Attributes:
        program: As the judge takes it.
        rule: By which it was found in what the model wrote.
        verdict: None before there is one.
        future: Of the verdict, once the judge has the program.
        settled: Whether the verdict is known without the judge, or cannot be had of it.
    """

    program: Program
    rule: str
    verdict: Verdict | None = None
    future: Future[Verdict] | None = None
    settled: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is to be handed to the judge: for the first time, or since the harness failed on it."""
        failed = self.verdict is not None and self.verdict.status is Status.HARNESS_ERROR
        return not self.settled and (self.verdict is None or failed)

    def settle(self, status: Status, why: str) -> None:
        """Give it a verdict without the judge."""
        self.verdict = Verdict(self.program.task_id, self.program.index, status, detail=why)
        self.settled = True


def job_of(index: int, asked: Asked, written: str) -> Job:
    """Return the job of what a model wrote; what needs no judge to be known is settled."""
    source, rule = asked.program(written)
    too_long = len(source) > _LONGEST_PROGRAM
    job = Job(Program(asked.problem.task_id, index, "" if too_long else source, asked.problem.tests), rule)
    if asked.unfit:
        job.settle(Status.HARNESS_ERROR, asked.unfit)
    elif too_long:
        why = f"a program of {len(source)} characters; at most {_LONGEST_PROGRAM} are run"
        job.settle(Status.OUTPUT_LIMIT, why)
    return job
