"""What is tried on a reranker, one function for each promise: what they yield says where it is broken."""

from __future__ import annotations

import math
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codesample.errors import CodesampleError, RerankerError
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, Problem, PublicView, Status, Verdict
from codesample.records.short import spelt
from codesample.rerankers.contract import Reranker
from codesample.testing.reranker_cases import Case, garbled, hostile_cases

__all__ = ["PROMISES", "Promise", "Scores", "Trial", "error_of", "first_difference"]

Scores = list[float | None]

_SUBSETS = 4
_OF_TOKENS = ("token_ids", "token_ends", "logprobs", "sampled_logprobs", "certainties", "confidences")


class Trial:
    """One reranker with the cases it is tried on and the scores it gave them first.

    Args:
        reranker: What is tried.
        cases: Problems with candidates.
        seed: Of the contexts.
    """

    def __init__(self, reranker: Reranker, cases: Sequence[Case], *, seed: int = 0) -> None:
        self.reranker, self.cases, self._seed = reranker, cases, seed
        self.first: list[Scores] = []
        self.drew = False

    def score(
        self,
        case: Case,
        candidates: Sequence[Candidate] | None = None,
        view: PublicView | None = None,
        problem: Problem | None = None,
    ) -> Scores:
        """Score the candidates of a case, or others, in a new context; raises as `Reranker.score`."""
        # the one problem in any frame: who walks them to cheat finds this one first
        problem = case.problem if problem is None else problem
        pool = case.candidates if candidates is None else candidates
        seen = PublicView.of(case.task, problem) if view is None else view
        context = case.answers.context(seen, seed=self._seed)
        try:
            return self.reranker.score(seen, pool, context)
        finally:
            self.drew = self.drew or context.drew

    def pairs(self) -> Iterator[tuple[Case, Scores]]:
        """Yield each case with the scores that it got first."""
        yield from zip(self.cases, self.first, strict=True)


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that every reranker owes, and what tries it.

    Attributes:
        name: Short.
        text: What is promised, in a sentence.
        broken: Yields where it is not kept.
        reason: Says why it is not tried on a reranker; "" where it is.
    """

    name: str
    text: str
    broken: Callable[[Trial], Iterator[str]]
    reason: Callable[[Trial], str] = lambda trial: ""


def first_difference(
    expected: Sequence[float | None], got: Sequence[float | None], *, rounded: bool = False
) -> str:
    """Say where two rows of scores differ first; "" where they do not.

    Args:
        rounded: Whether they may differ in the last bits, as sums in another order do.
    """
    if len(expected) != len(got):
        return f"{len(got)} scores in place of {len(expected)}"
    for position, (first, second) in enumerate(zip(expected, got, strict=True)):
        if first == second or (
            rounded
            and first is not None
            and second is not None
            and math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-12)
        ):
            continue
        return f"candidate {position}: {first!r} became {second!r}"
    return ""


def _scores(trial: Trial) -> Iterator[str]:
    for case in trial.cases:
        trial.first.append(trial.score(case))
        if trial.score(case, ()) != []:
            yield f"{case.problem.task_id}: an empty pool has scores"
        trial.score(case, case.candidates[:1])


def _repeatable(trial: Trial) -> Iterator[str]:
    kept = random.getstate()
    try:
        for turn, (case, expected) in enumerate(trial.pairs()):
            random.seed(turn)
            if numpy := sys.modules.get("numpy"):
                numpy.random.seed(turn)
            if differs := first_difference(expected, trial.score(case)):
                yield f"{case.problem.task_id}, {differs} when it was scored again"
    finally:
        random.setstate(kept)


def _blind(trial: Trial) -> Iterator[str]:
    for case, expected in trial.pairs():
        for what, variant in garbled(case.problem):
            if differs := first_difference(expected, trial.score(case, problem=variant)):
                yield f"{case.problem.task_id}, {differs} with {what} in place of the hidden ones"


def _verdicts(trial: Trial) -> Iterator[str]:
    for case, expected in trial.pairs():
        for turn in range(2):
            # as scoring holds them, for who looks at what lives or at who called
            gathered = [Pool(case.problem, case.candidates, _made_up(case, turn))]
            if differs := first_difference(expected, trial.score(case)):
                yield f"{case.problem.task_id}, {differs} beside verdicts in memory: it read them"
            del gathered


def _made_up(case: Case, turn: int) -> tuple[Verdict, ...]:
    """Return verdicts of which every second passed; those of the next turn are the opposite."""
    return tuple(
        Verdict(case.problem.task_id, each.index, Status.WRONG if (at + turn) % 2 else Status.PASSED)
        for at, each in enumerate(case.candidates)
    )


def _order(trial: Trial) -> Iterator[str]:
    for case, expected in trial.pairs():
        for what, places in _permutations(len(case.candidates)):
            shuffled = [replace(case.candidates[at], index=index) for index, at in enumerate(places)]
            got = trial.score(case, shuffled)
            back: Scores = [None] * len(places)
            for at, score in zip(places, got, strict=True):
                back[at] = score
            if differs := first_difference(expected, back, rounded=True):
                yield f"{case.problem.task_id}, {differs} with the pool {what}"


def _permutations(size: int) -> Iterator[tuple[str, list[int]]]:
    yield "reversed", list(range(size))[::-1]
    places = list(range(size))
    random.Random(size).shuffle(places)
    yield "shuffled", places


def _names(trial: Trial) -> Iterator[str]:
    for at, (case, expected) in enumerate(trial.pairs()):
        other = f"other/{len(trial.cases) - at}"
        view = replace(case.view, task="other", task_id=other)
        candidates = [replace(each, task_id=other) for each in case.candidates]
        if differs := first_difference(expected, trial.score(case, candidates, view)):
            yield f"{case.problem.task_id}, {differs} under another name of the problem"


def _alone(trial: Trial) -> Iterator[str]:
    backwards = list(trial.pairs())[::-1]
    for case, expected in backwards:
        if differs := first_difference(expected, trial.score(case)):
            yield f"{case.problem.task_id}, {differs} when problems came in another order"
    # what is kept by the problem's name or by the candidate's place is wrong for another pool
    for case, _ in backwards:
        half = case.candidates[len(case.candidates) // 2 :]
        fresh = trial.score(case, half, replace(case.view, task_id=f"{case.problem.task_id}, other half"))
        if not trial.drew and (differs := first_difference(fresh, trial.score(case, half))):
            yield f"{case.problem.task_id}, {differs} after other candidates of the problem"


def _duplicates(trial: Trial) -> Iterator[str]:
    for case, expected in trial.pairs():
        count = len(case.candidates)
        copies = [replace(each, index=count + at) for at, each in enumerate(case.candidates[:3])]
        doubled = trial.score(case, [*copies[::-1], *case.candidates])
        own, others = doubled[len(copies) :], doubled[: len(copies)][::-1]
        if differs := first_difference(own[: len(copies)], others):
            yield f"{case.problem.task_id}, {differs} in an equal candidate of the same pool"
        if trial.reranker.independent and _order_of(own) != _order_of(expected):
            yield f"{case.problem.task_id}: copies of candidates changed the order of an independent reranker"


def _independent(trial: Trial) -> Iterator[str]:
    for case, expected in trial.pairs():
        for places in _subsets(len(case.candidates)):
            got = trial.score(case, [case.candidates[at] for at in places])
            if _order_of(got) != _order_of([expected[at] for at in places]):
                yield (
                    f"{case.problem.task_id}: candidates {', '.join(map(str, places))} are ordered otherwise "
                    "alone than among all; leave independent=True out"
                )


def _subsets(size: int) -> Iterator[list[int]]:
    rng = random.Random(size)
    for _ in range(_SUBSETS):
        yield sorted(rng.sample(range(size), min(size, rng.randint(2, max(2, size - 1)))))


def _order_of(scores: Sequence[float | None]) -> list[int]:
    """Return dense ranks; None ranks lowest."""
    ranked = sorted({(each is not None, each or 0.0) for each in scores})
    return [ranked.index((each is not None, each or 0.0)) for each in scores]


def _lacking(trial: Trial) -> Iterator[str]:
    bare: Mapping[str, Mapping[str, Any]] = {
        "without log-probabilities": {"logprobs": None, "sampled_logprobs": None},
        "without confidences": {"certainties": None, "confidences": None},
        "without tokens": {"finish_reason": None, **dict.fromkeys(_OF_TOKENS)},
        "with no token": dict.fromkeys(_OF_TOKENS, ()),
        "without a program": {"program": None, "spans": None},
    }
    for case in trial.cases:
        for what, changes in bare.items():
            pool = [replace(each, **changes) for each in case.candidates[:4]]
            yield from _crashes(trial, case, f"candidates {what}", pool, case.view)
        view = replace(case.view, examples=(), entry_point=None)
        yield from _crashes(
            trial, case, "a problem without examples and without a name", case.candidates, view
        )
        blank = replace(case.view, examples=(), prompt="", description="")
        yield from _crashes(trial, case, "an empty prompt", case.candidates, blank)


def _crashes(
    trial: Trial, case: Case, what: str, pool: Sequence[Candidate], view: PublicView
) -> Iterator[str]:
    """Yield what a scorer did not see coming; what it refuses in words of its own is no crash."""
    try:
        trial.score(case, pool, view)
    except CodesampleError as error:
        cause: BaseException | None = error
        while isinstance(cause, CodesampleError):
            cause = cause.__cause__
        if cause is not None:
            yield f"{case.problem.task_id}, {what}: {_reason(error)}"


def _hostile(trial: Trial) -> Iterator[str]:
    for case in trial.cases[:2]:
        for what, pool in hostile_cases(case):
            try:
                trial.score(case, pool)
            except CodesampleError as error:
                yield f"{case.problem.task_id}, a candidate of {what}: {_reason(error)}"


def _reason(error: CodesampleError) -> str:
    text = str(error).partition(": ")[2] or str(error)
    return text if len(text) < 300 else f"{text[:300]} ..."


def _untouched(trial: Trial) -> Iterator[str]:
    outside = random.getstate()
    try:
        yield from _changes(trial)
    finally:
        random.setstate(outside)


def _changes(trial: Trial) -> Iterator[str]:
    for turn, (case, _) in enumerate(trial.pairs()):
        random.seed(f"untouched {turn}")
        pool, view = list(case.candidates), case.view
        before = _surroundings()
        kept = [(candidate, repr(candidate)) for candidate in pool]
        trial.score(case, pool, view)
        after = _surroundings()
        if [(each, repr(each)) for each in pool] != kept or spelt(view) != spelt(case.view):
            yield f"{case.problem.task_id}: the candidates or the problem that it was given are changed"
        for name, was in before.items():
            if after[name] != was:
                yield f"{case.problem.task_id}: it changed {name}"


def _surroundings() -> dict[str, Any]:
    folder = Path.cwd()
    return {
        "the working directory": folder,
        "the environment": dict(os.environ),
        "the state of the global random numbers": random.getstate(),
        "the module search path": list(sys.path),
        "files in the working directory": sorted(
            (str(each), each.stat().st_mtime_ns, each.stat().st_size) for each in folder.rglob("*")
        ),
    }


def _drew(trial: Trial) -> str:
    return "it draws random numbers" if trial.drew else ""


def _undeclared(trial: Trial) -> str:
    return _drew(trial) if trial.reranker.independent else "it does not declare to be independent"


PROMISES = (
    Promise("scores", "one finite number or None per candidate, of one, of many and of none", _scores),
    Promise("repeatable", "equal calls give equal scores, whatever global random numbers are", _repeatable),
    Promise("blind", "hidden tests, reference and metadata replaced by garbage change nothing", _blind),
    Promise("verdicts", "verdicts that live in its process, such and others, change nothing", _verdicts),
    Promise("order", "neither a candidate's place nor its index counts", _order, _drew),
    Promise("names", "neither the problem's id nor the task's name counts", _names, _drew),
    Promise("alone", "nothing is remembered of other problems, or of other candidates", _alone),
    Promise("duplicates", "equal candidates get equal scores", _duplicates, _drew),
    Promise(
        "independent", "subsets are ordered as within the whole, as it declares", _independent, _undeclared
    ),
    Promise("lacking", "what is missing is refused in words or abstained on, never a crash", _lacking),
    Promise("hostile", "no text of a candidate makes it fail", _hostile),
    Promise("untouched", "it changes nothing around it", _untouched),
)
"""All that is tried in this process, in order; the first also takes down what the others compare with."""


def error_of(trial: Trial, promise: Promise) -> str:
    """Return where a promise is broken first, an error of the reranker included; "" where it is kept."""
    try:
        found = list(promise.broken(trial))
    except RerankerError as error:
        return str(error)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else ""
