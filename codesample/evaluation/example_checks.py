"""Lets rerankers run programs on public examples, with the sandbox that also runs the hidden tests."""

from __future__ import annotations

from collections.abc import Sequence

from codesample.execution import Executor, Program
from codesample.records import Status, Tests

__all__ = ["ExampleChecks"]


class ExampleChecks:
    """Judges programs by statements.

    Args:
        executor: Open.
        task_id: Problem the programs belong to; for the executor's messages.

    Attributes:
        failures: Why the harness failed on a program, for each on which it did.
    """

    def __init__(self, executor: Executor, task_id: str) -> None:
        self._executor, self._task_id = executor, task_id
        self.failures: list[str] = []

    def check(self, programs: Sequence[str], tests: Tests) -> list[tuple[bool, ...] | None]:
        """Return, per program, a result for each of `tests.checks`; None where the harness itself failed.

        Raises:
            ExecutionError: the executor as a whole failed.
        """
        jobs = [Program(self._task_id, index, source, tests) for index, source in enumerate(programs)]
        verdicts = [future.result() for future in [self._executor.submit(job) for job in jobs]]
        self.failures += [
            f"{verdict.task_id}: {verdict.detail or 'no reason known'}"
            for verdict in verdicts
            if verdict.status is Status.HARNESS_ERROR
        ]
        return [None if verdict.status is Status.HARNESS_ERROR else verdict.checks for verdict in verdicts]
