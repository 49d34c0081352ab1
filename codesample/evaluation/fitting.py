"""Learns a reranker from the scores of others on saved runs, and says what it gives on problems held out."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from codesample.errors import CodesampleError, ParameterError, RerankerError
from codesample.evaluation.cross_fitting import (
    FitOptions,
    FitProblem,
    best_by_fold,
    best_of_method,
    best_of_scores,
    dealt,
    fit_model,
    held_out_scores,
    settled_strength,
)
from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.metrics import pass_at_k
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scored_by import found_by_scores
from codesample.evaluation.scoring import Pool
from codesample.rerankers.expression import parse, renamed
from codesample.rerankers.fitted import FittedFile, prompt_digest
from codesample.runs.files import replace_file

__all__ = ["Fit", "fit_reranker"]

_FLAT = 1e-12
# what the best method on the other folds is called among figures
_BEST = "best on the other folds"


@dataclass(frozen=True, slots=True)
class Fit:
    """A learnt reranker with its figures on problems that were held out.

    Attributes:
        content: What its file holds.
        problems: How many pools count in the figures.
        fitted_on: How many of them teach something: those with right candidates and wrong ones.
        learnt: Best-of-n of what was fitted on the other folds.
        methods: Best-of-n of each method by itself, on the same pools.
        random, oracle: What choosing at random gives, and with the hidden tests.
        over_best: By how much it is above the best of the methods, paired by problem.
        best: Which that is.
        best_held_out: Best-of-n of the method that was best on the other folds, as fair as `learnt` is.
        strength: How closely it follows what it was fitted on, of `codesample.evaluation.fitted_models`.
        left_out: Methods that are not taken, with the reason.
    """

    content: FittedFile
    problems: int
    fitted_on: int
    learnt: Estimate
    methods: Mapping[str, Estimate]
    random: Estimate
    oracle: Estimate
    over_best: Estimate
    best: str
    best_held_out: Estimate
    strength: float
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_worse(self) -> bool:
        """Whether the best of the methods alone gives more than what was learnt."""
        return self.over_best.value < -_FLAT

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def write(self, path: Path) -> None:
        """Write the file that `-r` takes.

        Raises:
            RunFolderError: it cannot be written.
        """
        text = msgspec.json.format(msgspec.json.encode(self.content), indent=2).decode("utf-8")
        replace_file(path, text + "\n")


def fit_reranker(runs: Sequence[RunContents], options: FitOptions | None = None) -> Fit:
    """Learn to tell right candidates from wrong ones by what other rerankers say of them.

    Each method's score, its rank and its z-score within the problem, and whether there is one, are the
    features. Every problem weighs the same, its right candidates as much as its wrong ones, so that what is
    learnt tells candidates of one problem apart, not easy problems from hard ones. Problems that occur in
    several runs, such as those of two models, are never held out in one and fitted on in another. How closely
    it may follow what it is fitted on is settled by folds of these again, by the best-of-n that each strength
    gives on those held out; of equal ones the most cautious.

    Args:
        runs: Scored by the methods, with verdicts.
        options: Default: every method of all runs, logistic regression, five folds.

    Raises:
        RerankerError: a run is a shard, is not scored by the methods, or by something that is no finite
            number; or scikit-learn is not installed.
        ParameterError: a run that is named twice; too few problems with right candidates and wrong ones for
            the folds.
        CodesampleError: as `load_reranker`, of a method that is named.
    """
    chosen = options or FitOptions()
    places, left_out = _methods(runs, chosen.methods)
    problems = [each for run in runs for each in _problems(run, places)]
    folds = dealt(problems, chosen.folds, chosen.seed)
    _expect_enough(problems, folds, chosen.folds)
    held_out = held_out_scores(problems, folds, chosen)
    figures = _figures(problems, held_out, best_by_fold(problems, folds))
    strength = settled_strength(problems, chosen)
    content = msgspec.structs.replace(
        fit_model(problems, chosen, strength),
        methods=places,
        prompts=tuple(sorted({prompt_digest(pool.problem.prompt) for run in runs for pool in run.pools})),
        trained_on=tuple(map(_told, runs)),
        cross_validation={
            "folds": chosen.folds,
            "problems": len(problems),
            "strength": strength,
            "best_of_n": {name: msgspec.to_builtins(each) for name, each in figures.items()},
        },
        versions=_versions(),
        seed=chosen.seed,
    )
    methods = {name: figures[name] for name in places}
    best = max(methods, key=lambda name: methods[name].value)
    return Fit(
        content=content,
        problems=len(problems),
        fitted_on=sum(each.teaches for each in problems),
        learnt=figures["learnt"],
        methods=methods,
        random=figures["random"],
        oracle=figures["oracle"],
        over_best=_over(problems, held_out, best),
        best=best,
        best_held_out=figures[_BEST],
        strength=strength,
        left_out=left_out,
    )


def _expect_enough(problems: Sequence[FitProblem], folds: Mapping[str, int], count: int) -> None:
    teaching = [each for each in problems if each.teaches]
    # every fold leaves some out and some in
    if len({folds[each.group] for each in teaching}) < 2 or len(teaching) < 2 * count:
        raise ParameterError(
            f"{len(teaching)} of {len(problems)} problems have right candidates and wrong ones: expected at "
            f"least {2 * count} for {count} folds; take more problems or candidates"
        )


def _methods(runs: Sequence[RunContents], named: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the methods by name with what loads each, and why others are left out."""
    if not runs:
        raise ParameterError("no run to learn from; name one or several")
    places = [run.path.resolve() for run in runs]
    if twice := next((run.path for run in runs if places.count(run.path.resolve()) > 1), None):
        raise ParameterError(f"{twice}: is named twice, and would count twice; name each run once")
    for run in runs:
        if run.manifest.shard is not None:
            raise RerankerError(
                f"{run.path}: is shard {run.manifest.shard} of a run; learn from the whole: codesample merge"
            )
        if not run.scores:
            raise RerankerError(
                f"{run.path}: is scored by no reranker; score it first: codesample rerank {run.path} -r NAME"
            )
    if named:
        loaded, typed = {}, {}
        for spec in named:
            each, place = found_by_scores(spec, runs)
            loaded[each.name], typed[each.name] = _lasting(place), spec
        for run in runs:
            if missing := sorted(loaded.keys() - run.scores.keys()):
                again = " ".join(f"-r {shlex.quote(typed[name])}" for name in missing)
                raise RerankerError(
                    f"{run.path}: is not scored by {', '.join(missing)}; score it first: codesample rerank "
                    f"{run.path} {again}"
                )
        return loaded, {}
    shared = set.intersection(*(set(run.scores) for run in runs))
    every = set().union(*(run.scores for run in runs))
    left_out = dict.fromkeys(sorted(every - shared), "not all runs are scored by it")
    known = {}
    for name in sorted(shared):
        try:
            each, place = found_by_scores(name, runs)
            known[each.name] = _lasting(place)
        except CodesampleError:
            left_out[name] = "it is not known by this name; give it by --features FILE.py:NAME"
    if not known:
        said = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise RerankerError(f"no reranker to learn from that scored all runs: {said}")
    return known, left_out


def _lasting(spec: str) -> str:
    """Return what names a reranker, or several, with the absolute path of each file that it names."""
    try:
        # a path may hold any sign of an expression
        return _absolute(spec) if _names_file(spec) else str(renamed(parse(spec), _absolute))
    except ParameterError:
        return spec


def _names_file(name: str) -> bool:
    where, _, inside = name.rpartition(":")
    return where.endswith(".py") and inside.isidentifier() and Path(where).is_file()


def _absolute(name: str) -> str:
    where, _, inside = name.rpartition(":")
    return f"{Path(where).resolve()}:{inside}" if _names_file(name) else name


def _problems(run: RunContents, names: Mapping[str, str]) -> list[FitProblem]:
    return [
        FitProblem(
            pool.problem.task_id,
            {name: _graded(run, pool, name) for name in names},
            pool.passed,
        )
        for pool in run.pools
        if pool.graded
    ]


def _graded(run: RunContents, pool: Pool, name: str) -> list[float | None]:
    column = run.scores[name][pool.problem.task_id]
    found = [column[at] for at in pool.graded]
    if strange := next((each for each in found if each is not None and not _is_number(each)), None):
        raise RerankerError(
            f"{run.path}: {name} scored {pool.problem.task_id} by {str(strange)[:40]}, expected a finite "
            f"number; score it anew: codesample rerank {run.path} -r NAME"
        )
    return found


def _is_number(score: float) -> bool:
    try:
        return math.isfinite(score)
    except OverflowError:
        return False


def _figures(
    problems: Sequence[FitProblem], held_out: Sequence[Sequence[float]], best_held_out: Sequence[float]
) -> dict[str, Estimate]:
    sizes = [(len(each.passed), sum(each.passed)) for each in problems]
    columns = {
        "random": [pass_at_k(size, right, 1) for size, right in sizes],
        "oracle": [pass_at_k(size, right, size) for size, right in sizes],
        "learnt": best_of_scores(problems, held_out),
        _BEST: best_held_out,
        **{name: best_of_method(problems, name) for name in problems[0].columns},
    }
    draws = Draws(len(problems), clusters=[each.group for each in problems])
    return dict(zip(columns, draws.shares(list(columns.values())), strict=True))


def _over(problems: Sequence[FitProblem], held_out: Sequence[Sequence[float]], best: str) -> Estimate:
    ours, theirs = best_of_scores(problems, held_out), best_of_method(problems, best)
    draws = Draws(len(problems), clusters=[each.group for each in problems])
    return draws.differences([[a - b for a, b in zip(ours, theirs, strict=True)]])[0]


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in ("codesample", "scikit-learn")}
    return found | {"python": platform.python_version()}


def _told(run: RunContents) -> dict[str, Any]:
    return {
        "run": run.path.name,
        "task": run.manifest.task,
        "task_version": run.manifest.task_version,
        "data_hash": run.manifest.data_hash,
        "model": run.manifest.model,
        "problems": len(run.pools),
        "candidates": sum(len(pool.candidates) for pool in run.pools),
    }
