"""A run's candidates and verdicts by problem, and the scores that rerankers give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from codesample.errors import CodesampleError, RerankerError
from codesample.evaluation.kept_curves import Rescorer, keep_curve
from codesample.evaluation.observer import Observer, is_graded
from codesample.evaluation.problem_set import ProblemSet
from codesample.execution.judge import Judge
from codesample.execution.program_runner import ProgramRunner
from codesample.records import Candidate, Problem, PublicView, Verdict
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker
from codesample.runs import Key, RunFolder
from codesample.tasks.function_form import stub_of

__all__ = ["EXECUTED", "Pool", "Scored", "Scores", "pools", "saved_scores", "score"]

EXECUTED = frozenset({"run", "public_examples"})
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
        strict: Whether passes of integrity "weak" count as not judged.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    strict: bool = False

    def __repr__(self) -> str:
        passed = sum(each.passed for each in self.verdicts)
        return f"Pool({self.problem.task_id!r}, {len(self.candidates)} candidates, {passed} passed)"

    @property
    def graded(self) -> list[int]:
        """Positions of the candidates whose verdict says something about the program."""
        return [at for at, each in enumerate(self.verdicts) if is_graded(each, strict=self.strict)]

    @property
    def passed(self) -> list[bool]:
        """Whether each graded candidate passed."""
        return [self.verdicts[at].passed for at in self.graded]


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of the rerankers of one call.

    Attributes:
        scores: Of those that scored everything.
        failures: What the others ended with.
        notices: What is known to weaken the scores.
    """

    scores: dict[str, Scores] = field(default_factory=dict)
    failures: list[CodesampleError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def raise_failures(self, run: RunFolder, observer: Observer) -> None:
        """Raise what stopped a reranker, if one was stopped: the error itself, or one that names them all."""
        if self.failures:
            observer.notice(f"the results without what failed are kept: codesample report {run.path}")
        if len(self.failures) == 1:
            raise self.failures[0]
        if self.failures:
            raise RerankerError("; ".join(map(str, self.failures))) from self.failures[0]


def pools(run: RunFolder, chosen: ProblemSet, wanted: Collection[Key], *, strict: bool = False) -> list[Pool]:
    """Gather the candidates of `wanted` that have a verdict by problem, in the task's order.

    Problems without any are left out.

    Raises:
        RunFolderError, DataError: a file of the run is malformed; names file and line.
    """
    verdicts = run.verdicts()
    found: dict[str, list[Candidate]] = {}
    keys = verdicts.keys() & wanted
    kept = (each for each in run.samples() if (each.task_id, each.index) in keys)
    for candidate, program in chosen.assembled(kept):
        found.setdefault(candidate.task_id, []).append(replace(candidate, program=program))
    gathered = []
    for problem in chosen.problems:
        candidates = sorted(found.get(problem.task_id, []), key=lambda candidate: candidate.index)
        if candidates:
            judged = tuple(verdicts[problem.task_id, candidate.index] for candidate in candidates)
            gathered.append(Pool(problem, tuple(candidates), judged, strict))
    return gathered


def score(
    rerankers: Sequence[Reranker],
    gathered: Sequence[Pool],
    *,
    task: str,
    seed: int,
    judge: Judge | None,
    run: RunFolder,
    observer: Observer,
    curves: bool = False,
) -> Scored:
    """Let each reranker score every pool, and keep the scores in the run folder once they are complete.

    Tokens and log-probabilities that they see are those of the program, not of the words around it. None of
    them sees a hidden test. One that fails costs its own scores only; earlier ones of it stay.

    Args:
        task: Name.
        seed: For rerankers that draw random numbers.
        judge: Runs public examples and inputs of the rerankers' own; None where none of them needs it.
        run: Open for writing.
        observer: Told of each pool.
        curves: Whether those whose scores depend on the other candidates score subsets too, for their
            curves over n.

    Raises:
        RunFolderError: scores cannot be written.
    """
    views = [PublicView.of(task, pool.problem) for pool in gathered]
    shown = [[each.within(each.spans) for each in pool.candidates] for pool in gathered]
    runners = [ProgramRunner(judge, view.task_id) if judge else None for view in views]
    contexts = [
        Context(view, seed=seed, checks=runner, outputs=runner, stub=stub_of(pool.problem))
        for pool, view, runner in zip(gathered, views, runners, strict=True)
    ]
    scored = Scored()
    for each in rerankers:
        column: Scores = {}
        try:
            for view, candidates, context in zip(views, shown, contexts, strict=True):
                column[view.task_id] = each.score(view, candidates, context)
                observer.scored(each.name, done=len(column), problems=len(gathered))
        except CodesampleError as error:
            scored.failures.append(error)
            continue
        run.write_scores(each.name, _by_key(gathered, column))
        if curves or each.independent:
            rescore = _rescorer(each, views, shown, contexts)
            if lacking := keep_curve(run, each, gathered, column, rescore, seed=seed):
                scored.notices.append(lacking)
        scored.scores[each.name] = column
    failures = [failure for runner in runners if runner for failure in runner.failures]
    if failures:
        scored.notices.append(
            f"{len(failures)} programs that rerankers could not have run, so that they rank last, "
            f"first of {failures[0]}"
        )
    noted = sum((context.notes for context in contexts), Counter[str]())
    scored.notices.extend(f"{what} ({count} times)" for what, count in noted.items())
    return scored


def _rescorer(
    each: Reranker,
    views: Sequence[PublicView],
    shown: Sequence[Sequence[Candidate]],
    contexts: Sequence[Context],
) -> Rescorer:
    """Return what lets a reranker score a part of a pool alone."""

    def rescore(number: int, at: Sequence[int]) -> list[float | None]:
        return each.score(views[number], [shown[number][place] for place in at], contexts[number])

    return rescore


def saved_scores(gathered: Sequence[Pool], run: RunFolder) -> dict[str, Scores]:
    """Read the scores of every reranker that scored these candidates, and no others, earlier."""
    keys = [[(each.task_id, each.index) for each in pool.candidates] for pool in gathered]
    wanted = {key for row in keys for key in row}
    found = {name: run.scores(name) for name in run.scored_by()}
    return {
        name: {row[0][0]: [kept[key] for key in row] for row in keys}
        for name, kept in found.items()
        if kept.keys() == wanted
    }


def _by_key(gathered: Sequence[Pool], column: Scores) -> dict[Key, float | None]:
    return {
        (each.task_id, each.index): score
        for pool in gathered
        for each, score in zip(pool.candidates, column[pool.problem.task_id], strict=True)
    }
