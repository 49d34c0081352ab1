"""Finds tests that test nothing: they pass a program that is empty, or a function that returns None."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from codesample.evaluation.task_findings import Finding
from codesample.execution.judge import Judge, Program
from codesample.execution.program_runner import settled
from codesample.records import Problem, Status
from codesample.tasks.readable_tests import flaw_of_tests

__all__ = ["hollow_tests"]

_EMPTY, _NONE = 0, 1


def hollow_tests(problems: Sequence[Problem], judge: Judge) -> Iterator[Finding]:
    """Run both programs against the tests of each problem, and yield what passes and what cannot be judged.

    Args:
        judge: Open.

    Raises:
        ExecutionError: the judge failed.
    """
    programs = [each for problem in problems if not flaw_of_tests(problem.tests) for each in _hollow(problem)]
    verdicts = settled(judge, (partial(judge.submit, program) for program in programs))
    passed: dict[str, int] = {}
    unable: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.passed:
            passed.setdefault(verdict.task_id, verdict.index)
        elif verdict.status is Status.HARNESS_ERROR:
            ids = unable.setdefault(verdict.detail or "no reason known", [])
            ids += [verdict.task_id] if verdict.task_id not in ids else []
    for index, what in ((_EMPTY, "an empty program"), (_NONE, "a function that returns None")):
        hollow = tuple(task_id for task_id, first in passed.items() if first == index)
        if hollow:
            yield Finding("tests that test nothing", hollow, f"{what} passes them", fault=True)
    for why, names in unable.items():
        yield Finding("tests that cannot judge", tuple(names), why, fault=True)


def _hollow(problem: Problem) -> Iterator[Program]:
    yield Program(problem.task_id, _EMPTY, "", problem.tests)
    if problem.entry_point:
        stub = f"def {problem.entry_point}(*args, **kwargs):\n    return None\n"
        yield Program(problem.task_id, _NONE, stub, problem.tests)
