"""A run's candidates and verdicts by problem, and the scores that rerankers give them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from codesample.evaluation.example_checks import ExampleChecks
from codesample.evaluation.plan import Chosen
from codesample.evaluation.program_outputs import ProgramOutputs
from codesample.execution import Executor
from codesample.records import Candidate, Problem, PublicView, Status, Verdict
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.runs import Key, RunFolder
from codesample.tasks.contract import Task

__all__ = ["EXECUTED", "Pool", "Scores", "pools", "saved_scores", "score"]

EXECUTED = frozenset({"outputs", "public_examples"})
"""Abilities of rerankers that `score` gives by running programs."""

Scores = dict[str, list[float | None]]
"""One reranker's scores: by task id, in the order of the pool's candidates."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One problem with its candidates, in the order of their indices.

    Attributes:
        problem: Whose candidates these are.
        candidates: All of them, each with its program.
        verdicts: Of the same candidates, in the same order.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def graded(self) -> list[int]:
        """Positions of the candidates whose verdict says something about the program."""
        return [at for at, verdict in enumerate(self.verdicts) if verdict.status is not Status.HARNESS_ERROR]

    @property
    def passed(self) -> list[bool]:
        """Whether each graded candidate passed."""
        return [self.verdicts[at].passed for at in self.graded]


def pools(run: RunFolder, chosen: Chosen, wanted: Collection[Key]) -> list[Pool]:
    """Gather the candidates of `wanted` that have a verdict by problem, in the task's order.

    Problems without any are left out.

    Raises:
        RunFolderError, DataError: a file of the run is malformed; names file and line.
    """
    verdicts = run.verdicts()
    found: dict[str, list[Candidate]] = {}
    for candidate in run.samples():
        key = (candidate.task_id, candidate.index)
        if key in wanted and key in verdicts:
            found.setdefault(candidate.task_id, []).append(candidate)
    gathered = []
    for problem in chosen.problems:
        candidates = sorted(found.get(problem.task_id, []), key=lambda candidate: candidate.index)
        if candidates:
            whole = tuple(_with_program(chosen.task, problem, candidate) for candidate in candidates)
            judged = tuple(verdicts[problem.task_id, candidate.index] for candidate in candidates)
            gathered.append(Pool(problem, whole, judged))
    return gathered


def score(
    rerankers: Sequence[Reranker],
    gathered: Sequence[Pool],
    *,
    task: str,
    seed: int,
    executor: Executor,
    run: RunFolder,
) -> dict[str, Scores]:
    """Let each reranker score every pool, and keep the scores in the run folder.

    None of them sees a hidden test.

    Args:
        task: Name.
        seed: For rerankers that draw random numbers.
        executor: Runs public examples and inputs of the rerankers' own.
        run: Open for writing.

    Raises:
        RerankerError: a reranker broke its contract; names it and the problem.
    """
    views = [PublicView.of(task, pool.problem) for pool in gathered]
    outputs = ProgramOutputs(executor)
    contexts = [
        Context(view, seed=seed, checks=ExampleChecks(executor, view.task_id), outputs=outputs)
        for view in views
    ]
    scores: dict[str, Scores] = {}
    for each in rerankers:
        run.clear_scores(each.name)
        column = scores[each.name] = {}
        for view, pool, context in zip(views, gathered, contexts, strict=True):
            column[view.task_id] = each.score(view, pool.candidates, context)
            indices = (candidate.index for candidate in pool.candidates)
            run.add_scores(each.name, view.task_id, dict(zip(indices, column[view.task_id], strict=True)))
    return scores


def saved_scores(gathered: Sequence[Pool], run: RunFolder) -> dict[str, Scores]:
    """Read the scores of every reranker that scored all of these candidates earlier."""
    scores: dict[str, Scores] = {}
    for name in run.scored_by():
        kept = run.scores(name)
        keys = [[(c.task_id, c.index) for c in pool.candidates] for pool in gathered]
        if all(key in kept for row in keys for key in row):
            scores[name] = {row[0][0]: [kept[key] for key in row] for row in keys}
    return scores


def _with_program(task: Task, problem: Problem, candidate: Candidate) -> Candidate:
    if candidate.program is not None:
        return candidate
    return replace(candidate, program=task.program(problem, candidate.completion))
