"""Checks a task, and the machine, by its own reference solutions: all of them should pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesample.evaluation.pipeline import open_executor
from codesample.evaluation.plan import choose_task
from codesample.execution import Program
from codesample.records import Verdict
from codesample.tasks.contract import Task

__all__ = ["References", "reference_programs", "verify_references"]


@dataclass(frozen=True, slots=True)
class References:
    """What came of running reference solutions.

    Attributes:
        task: Name.
        passed: How many passed.
        failed: Verdicts of the others, in the task's order.
        missing: Task ids without a reference solution.
    """

    task: str
    passed: int
    failed: tuple[Verdict, ...]
    missing: tuple[str, ...]


def verify_references(
    task: str | Path | Task,
    *,
    data: Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
    allow_weak_isolation: str | None = None,
) -> References:
    """Run the reference solution of every row of a task's data against its hidden tests.

    Raises:
        CodesampleError: as `evaluate`, as far as it concerns tasks and the sandbox.
    """
    chosen = choose_task(task, data=data, limit=limit).task
    programs = reference_programs(chosen, limit=limit)
    with open_executor(workers, allow_weak_isolation) as executor:
        verdicts = [future.result() for future in [executor.submit(program) for program in programs]]
    return References(
        task=chosen.name,
        passed=sum(verdict.passed for verdict in verdicts),
        failed=tuple(verdict for verdict in verdicts if not verdict.passed),
        missing=tuple(each.task_id for each in chosen.all_problems()[:limit] if each.reference is None),
    )


def reference_programs(task: Task, *, limit: int | None = None) -> list[Program]:
    """Return the programs of the reference solutions, of every row of the task's data or of the first ones.

    Raises:
        DataError, HubUnavailableError: the data are malformed or cannot be had.
    """
    return [
        Program(problem.task_id, 0, task.program(problem, problem.reference), problem.tests)
        for problem in task.all_problems()[:limit]
        if problem.reference is not None
    ]
