"""A run's candidates and verdicts by problem, and the scores that rerankers give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any

from codesample.errors import CodesampleError, RerankerError
from codesample.evaluation.behaviour import needs_tests, write_tests
from codesample.evaluation.kept_curves import Rescorer, keep_curve
from codesample.evaluation.member_scores import by_index, told_of_members
from codesample.evaluation.observer import Observer, is_graded
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.public_checks import repeat_notices
from codesample.evaluation.resources import ReadyPool, Resources
from codesample.records import Candidate, Problem, Verdict
from codesample.records.short import short
from codesample.records.validation import validated
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Job, Reranker
from codesample.rerankers.made_once import Cost
from codesample.runs import Key, MemberScores, RunFolder, ScoreOrigin

__all__ = [
    "EXECUTED",
    "Pool",
    "Scored",
    "Scores",
    "copies_of_verdicts",
    "outdated_notices",
    "pools",
    "saved_costs",
    "saved_scores",
    "score",
]

EXECUTED = frozenset({"run", "public_examples", "outputs", "tests"})
"""Abilities of rerankers for which programs are run."""

_TELLING = 5
"""Problems with right and wrong programs from which on scores that are the verdicts are no chance."""

_NO_TOKENS: dict[str, Any] = dict.fromkeys(
    ("token_ids", "token_ends", "logprobs", "sampled_logprobs", "certainties", "confidences")
)

Scores = dict[str, list[float | None]]
"""One reranker's scores: by task id, in the order of the pool's candidates."""


@validated
@dataclass(frozen=True, slots=True)
class Pool:
    """One problem with its candidates, in the order of their indices.

    Attributes:
        problem: Whose candidates these are.
        candidates: All of them, each with its program.
        verdicts: Of the same candidates, in the same order.
        strict: Whether passes of integrity "weak" count as not judged.
        graded: Positions of the candidates whose verdict says something about the program.
        passed: Whether each graded candidate passed.
    """

    problem: Problem
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    strict: bool = False
    graded: Sequence[int] = field(init=False, repr=False, compare=False)
    passed: Sequence[bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # figures of twenty rerankers read these thousands of times
        graded = [at for at, each in enumerate(self.verdicts) if is_graded(each, strict=self.strict)]
        object.__setattr__(self, "graded", graded)
        object.__setattr__(self, "passed", [self.verdicts[at].passed for at in graded])

    def __repr__(self) -> str:
        passed = sum(each.passed for each in self.verdicts)
        return f"Pool({short(self.problem.task_id)}, {len(self.candidates)} candidates, {passed} passed)"


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of the rerankers of one call.

    Attributes:
        scores: Of those that scored everything.
        costs: Of the same: what each took, as if it had been the only one.
        failures: What the others ended with.
        notices: What is known to weaken the scores.
    """

    scores: dict[str, Scores] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    failures: list[CodesampleError] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def raise_failures(self, run: RunFolder, observer: Observer) -> None:
        """Raise what stopped a reranker, if one was stopped: the error itself, or one that names them all."""
        if self.failures:
            observer.notice(f"the results without what failed are kept: codesample report {run.path}")
            observer.fell_short(run.path)
        if len(self.failures) == 1:
            raise self.failures[0]
        if self.failures:
            raise RerankerError("; ".join(map(str, self.failures))) from self.failures[0]


def pools(
    run: RunFolder,
    chosen: ProblemSet,
    wanted: Collection[Key],
    *,
    strict: bool = False,
    with_tokens: bool = True,
) -> list[Pool]:
    """Gather the candidates of `wanted` that have a verdict by problem, in the task's order.

    Problems without any are left out. Where nothing is scored, candidates do `with_tokens` turned off, which
    take most of the memory.

    Raises:
        RunFolderError, DataError: a file of the run is malformed; names file and line.
    """
    verdicts = run.verdicts()
    found: dict[str, list[Candidate]] = {}
    keys = verdicts.keys() & wanted
    kept = (each for each in run.samples() if (each.task_id, each.index) in keys)
    for candidate, program in chosen.assembled(kept):
        dropped = {} if with_tokens else _NO_TOKENS
        found.setdefault(candidate.task_id, []).append(replace(candidate, program=program, **dropped))
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
    chosen: ProblemSet,
    seed: int,
    resources: Resources,
    run: RunFolder,
    observer: Observer,
    curves: bool = False,
) -> Scored:
    """Let each reranker score every pool, and keep the scores in the run folder once they are complete.

    Tokens and log-probabilities that they see are those of the program, not of the words around it. None of
    them sees a hidden test. One that fails costs its own scores only; earlier ones of it stay. What one has
    scored when it is interrupted is kept too, and it goes on from there as long as nothing has changed: its
    own code and parameters, the seed, the candidates, the model.

    Args:
        chosen: The task, and how its problems were put to the model.
        seed: For rerankers that draw random numbers.
        resources: What they can act with.
        run: Open for writing.
        observer: Told of each pool.
        curves: Whether those whose scores depend on the other candidates score subsets too, for their
            curves over n.

    Raises:
        RunFolderError: scores cannot be written.
    """
    scored = Scored()
    ready = [ReadyPool(chosen, each.problem, each.candidates, resources, seed=seed) for each in gathered]
    lost, noted = _write_tests(rerankers, ready, resources, observer), Counter[str]()
    for each in rerankers:
        try:
            if lost is not None and resources.made and needs_tests(each.needs, resources.made):
                raise lost
            _tell_replaced(each, run, observer)
            found = _column(each, ready, run, observer)
        except CodesampleError as error:
            scored.failures.append(error)
            continue
        column = found.scores
        _write(run, each, _by_key(gathered, column), found)
        if curves or each.independent:
            lacking = keep_curve(run, each, gathered, column, _rescorer(each, ready), seed=seed)
            scored.notices.extend([lacking] if lacking else [])
        scored.scores[each.name], scored.costs[each.name] = column, found.cost
        noted += found.notes
    failures = [failure for each in ready for failure in each.failures]
    if failures:
        scored.notices.append(
            f"{len(failures)} programs that rerankers could not have run, so that they rank last, "
            f"first of {failures[0]}"
        )
    scored.notices.extend([*_counted(noted, len(gathered)), *copies_of_verdicts(scored.scores, gathered)])
    if lost is None and resources.made and any("tests" in each.needs for each in rerankers):
        written = {each.view.task_id: each.statements() for each in ready}
        scored.notices.extend(repeat_notices([each.problem for each in gathered], written))
    return scored


def _write(run: RunFolder, reranker: Reranker, scores: Mapping[Key, float | None], found: _Column) -> None:
    origin = ScoreOrigin(reranker.place, reranker.fingerprint)
    run.write_scores(reranker.name, scores, cost=asdict(found.cost), origin=origin, members=found.members)


def _counted(noted: Counter[str], problems: int) -> list[str]:
    return [f"{what} ({count} of {problems} problems)" for what, count in noted.items()]


def copies_of_verdicts(scores: Mapping[str, Scores], gathered: Sequence[Pool]) -> Iterator[str]:
    """Say which rerankers' scores are the verdicts themselves, where that is hardly chance."""
    mixed = sum(len(set(pool.passed)) > 1 for pool in gathered)
    if mixed < _TELLING:
        return
    for name, column in scores.items():
        found = ([column[pool.problem.task_id][at] for at in pool.graded] for pool in gathered)
        if all(row == list(pool.passed) for row, pool in zip(found, gathered, strict=True)):
            yield (
                f"the scores of {name} are 1 for every program that passed and 0 for every other one, as if "
                "it had read the verdicts or the hidden tests; try it by: codesample rerankers check"
            )


def _tell_replaced(reranker: Reranker, run: RunFolder, observer: Observer) -> None:
    """Say whose scores these will replace, and mark those that older code gave, for it may not come to it."""
    before = run.score_origin(reranker.name)
    if not before.fingerprint or before.fingerprint == reranker.fingerprint:
        return
    if before.place != reranker.place:
        observer.notice(f"scores of {reranker.name} by {before.place} are replaced by {reranker.place}'s")
    run.outdate_scores(reranker.name)


def outdated_notices(given_by: Mapping[str, ScoreOrigin]) -> list[str]:
    """Say which rerankers' scores are of older code than what scored last and did not come to its end.

    Args:
        given_by: What gave the scores, by reranker.
    """
    return [
        f"the scores of {name} are of older code: what scored last did not come to its end; score again"
        for name, origin in given_by.items()
        if origin.outdated
    ]


def _rescorer(reranker: Reranker, ready: Sequence[ReadyPool]) -> Rescorer:
    """Return what lets a reranker score a part of a pool alone."""
    shown: dict[int, tuple[list[Candidate], Context]] = {}

    def rescore(number: int, at: Sequence[int]) -> list[float | None]:
        if number not in shown:
            shown[number] = ready[number].shown(reranker)
        candidates, ctx = shown[number]
        return reranker.score(ready[number].view, [candidates[place] for place in at], ctx)

    return rescore


def _write_tests(
    rerankers: Sequence[Reranker], ready: Sequence[ReadyPool], resources: Resources, observer: Observer
) -> CodesampleError | None:
    """Let the model write the tests of all problems together, where a reranker asks for some."""
    if resources.made is None or not any(needs_tests(each.needs, resources.made) for each in rerankers):
        return None
    written = partial(_tell_written, observer, len(ready))
    try:
        write_tests(
            [each.view for each in ready], [each.asked for each in ready], resources.made, written=written
        )
    except CodesampleError as error:
        return error
    return None


def _tell_written(observer: Observer, problems: int, done: int) -> None:
    observer.stage("tests written", done=done, problems=problems)


@dataclass(frozen=True, slots=True)
class _Column:
    """What one reranker gave all pools.

    Attributes:
        scores: By task id.
        cost: What they took.
        notes: What it noted, with the number of problems.
        members: What the rerankers within it gave, as far as that is told.
    """

    scores: Scores
    cost: Cost
    notes: Counter[str]
    members: MemberScores


def _column(reranker: Reranker, ready: Sequence[ReadyPool], run: RunFolder, observer: Observer) -> _Column:
    """Let one reranker score every pool that it has not scored yet."""
    kept = run.unfinished_scores(reranker.name)
    found = {each.view.task_id: kept.get(each.key(reranker)) for each in ready}
    left = [each for each in ready if found[each.view.task_id] is None]
    if before := len(ready) - len(left):
        observer.notice(f"{reranker.name} goes on: {before} of {len(ready)} problems were scored before")
    opened: dict[int, Context] = {}

    def jobs() -> Iterator[Job]:
        for number, each in enumerate(left):
            candidates, opened[number] = each.shown(reranker)
            yield Job(each.view, candidates, opened[number])

    last = monotonic()
    with closing(reranker.score_all(jobs())) as results:
        for done, (number, scores) in enumerate(results, before + 1):
            ctx, now = opened.pop(number), monotonic()
            spent = ctx.cost + Cost(seconds=max(0.0, now - last - ctx.shared_seconds))
            value = {"scores": scores, "cost": asdict(spent), "notes": ctx.notes}
            if told := told_of_members(reranker, ctx.given):
                value["members"] = told
            kept.put(left[number].key(reranker), value)
            found[left[number].view.task_id], last = value, now
            observer.scored(reranker.name, done=done, problems=len(ready))
    column: Scores = {task_id: list(value["scores"]) for task_id, value in found.items()}
    costs: list[dict[str, Any]] = [value["cost"] for value in found.values()]
    notes = Counter(what for value in found.values() for what in value.get("notes", {}))
    members = {task_id: by_index(value["members"]) for task_id, value in found.items() if "members" in value}
    return _Column(column, sum((Cost(**cost) for cost in costs), Cost()), notes, members)


def saved_costs(rerankers: Iterable[str], run: RunFolder) -> dict[str, Cost]:
    """Read what the scores of rerankers took, by name, as far as that was kept."""
    kept: dict[str, dict[str, Any]] = {name: run.cost(name) for name in rerankers}
    return {name: Cost(**cost) for name, cost in kept.items() if cost}


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
