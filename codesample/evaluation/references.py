"""Checks a task, and the machine, by its own reference solutions: all of them should pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.sandbox import open_judge
from codesample.execution.judge import Program
from codesample.execution.program_runner import settled
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
    run: RunOptions | None = None,
) -> References:
    """Run the reference solution of every entry of a task's data against its hidden tests.

    Args:
        task, data, limit: As for `evaluate`.
        run: How programs are run; no folder is written.

    Raises:
        CodesampleError: as `evaluate`, as far as it concerns tasks and the sandbox.
    """
    chosen = read_problems(task, data=data, limit=limit).task
    programs = reference_programs(chosen, limit=limit)
    with open_judge(run or RunOptions()) as judge:
        verdicts = list(settled(judge, (partial(judge.submit, program) for program in programs)))
    return References(
        task=chosen.name,
        passed=sum(verdict.passed for verdict in verdicts),
        failed=tuple(verdict for verdict in verdicts if not verdict.passed),
        missing=tuple(each.task_id for each in chosen.all_problems()[:limit] if each.reference is None),
    )


def reference_programs(task: Task, *, limit: int | None = None) -> list[Program]:
    """Return the programs of the reference solutions, of every entry of the task's data or of the first ones.

    Raises:
        DataError, HubUnavailableError: the data are malformed or cannot be had.
    """
    return [
        Program(problem.task_id, 0, task.program(problem, problem.reference), problem.tests)
        for problem in task.all_problems()[:limit]
        if problem.reference is not None
    ]
