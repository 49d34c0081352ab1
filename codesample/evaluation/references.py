"""Checks a task, and the machine: its references should pass, its tests test something, its items differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from codesample.evaluation.hollow_tests import hollow_tests
from codesample.evaluation.lacking_packages import lacking_packages
from codesample.evaluation.observer import WEAK
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_choice import Ids, Limit, choose_problems, parse_limit
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.sandbox import open_judge
from codesample.evaluation.task_findings import Finding, findings
from codesample.execution.caller.tests_facts import TestsFacts, facts_of
from codesample.execution.judge import Program
from codesample.execution.program_runner import settled
from codesample.records import Problem, Verdict
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
        findings: What else is odd about the problems.
        content: `Task.fingerprint` of the evaluated problems: the same for any copy of the data.
        facts: By task id, what the tests settle by their text: their form, and which names they take from
            the program.
        lacking: By task id, modules that a problem needs and that are not installed here: nothing of such
            problems was run.
    """

    task: str
    passed: int
    failed: tuple[Verdict, ...]
    missing: tuple[str, ...]
    facts: Mapping[str, TestsFacts] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    content: str = ""
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong that would make verdicts wrong."""
        return not self.failed and not any(each.fault for each in self.findings)

    @property
    def forms(self) -> dict[str, int]:
        """How many problems are judged in each form."""
        return dict(sorted(Counter(each.form for each in self.facts.values()).items()))

    @property
    def weak(self) -> dict[str, str]:
        """By task id, why tests and program cannot be kept apart."""
        return {task_id: each.reason for task_id, each in self.facts.items() if each.form == WEAK}

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """By task id, what tests take from the program beside its entry point, where they take any."""
        return {task_id: each.names for task_id, each in self.facts.items() if each.names}

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        failed = [
            {"task_id": each.task_id, "status": str(each.status), "detail": each.detail}
            for each in self.failed
        ]
        return {
            "task": self.task,
            "passed": self.passed,
            "failed": failed,
            "missing": list(self.missing),
            "forms": self.forms,
            "weak": self.weak,
            "findings": [asdict(each) for each in self.findings],
            "content": self.content,
            "lacking": {task_id: list(names) for task_id, names in self.lacking.items()},
            "names": {task_id: list(names) for task_id, names in self.names.items()},
        }


def verify_references(
    task: str | Path | Task,
    *,
    data: Path | None = None,
    limit: Limit = None,
    ids: Ids = None,
    run: RunOptions | None = None,
) -> References:
    """Run the reference of every entry of a task's data against its hidden tests, and look for what is odd.

    Tests are tried on programs that do nothing too, which must not pass.

    Args:
        task, data, limit, ids: As for `evaluate`.
        run: How programs are run; no folder is written.

    Raises:
        CodesampleError: as `evaluate`, as far as it concerns tasks and the sandbox.
    """
    parse_limit(limit)
    chosen = read_problems(task, data=data).task
    problems = choose_problems(chosen.all_problems(), task=chosen.name, limit=limit, ids=ids)
    settings = run or RunOptions()
    lacking = lacking_packages(problems, settings)
    there = [each for each in problems if each.task_id not in lacking]
    programs = reference_programs(chosen, there)
    with open_judge(settings) as judge:
        verdicts = list(settled(judge, (partial(judge.submit, program) for program in programs)))
        found = [*findings(chosen, problems), *hollow_tests(there, judge)]
    return References(
        task=chosen.name,
        passed=sum(verdict.passed for verdict in verdicts),
        failed=tuple(verdict for verdict in verdicts if not verdict.passed),
        missing=tuple(each.task_id for each in problems if each.reference is None),
        facts={each.task_id: facts_of(each.tests) for each in problems},
        findings=tuple(sorted(found, key=lambda each: not each.fault)),
        content=chosen.fingerprint(),
        lacking=lacking,
    )


def reference_programs(task: Task, problems: Sequence[Problem] | None = None) -> list[Program]:
    """Return the programs of the reference solutions of some problems; None: of every entry of the data.

    Raises:
        DataError, HubUnavailableError: the data are malformed or cannot be had.
    """
    return [
        Program(problem.task_id, 0, task.program(problem, problem.reference), problem.tests)
        for problem in (task.all_problems() if problems is None else problems)
        if problem.reference is not None
    ]
