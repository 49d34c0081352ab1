"""Learns a reranker from the scores of others on saved runs, and says what it gives on problems held out."""

from __future__ import annotations

import math
import platform
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import msgspec

from codesample.errors import CodesampleError, ParameterError, RerankerError
from codesample.evaluation.fitted_models import FITTERS
from codesample.evaluation.intervals import Draws, Estimate
from codesample.evaluation.metrics import best_of_n, pass_at_k
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.scoring import Pool
from codesample.rerankers.fitted import FORMS, Feature, FittedFile, feature_values, prompt_digest
from codesample.rerankers.registry import load_reranker
from codesample.runs.files import replace_file

__all__ = ["Fit", "FitOptions", "fit_reranker"]

_FLAT = 1e-12


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How a reranker is learnt.

    Attributes:
        methods: Rerankers whose scores it takes, as for `-r`; () takes all that every run was scored by.
        forms: What is made of their scores, of `codesample.rerankers.fitted.FORMS`.
        model: "logistic" regression, or gradient-boosted "stumps".
        folds: Into how many parts problems are cut; each is scored by what was fitted on the others.
        seed: Of the folds, and of fitting.

    Raises:
        ParameterError: another model or form, or fewer than two folds.
    """

    methods: tuple[str, ...] = ()
    forms: tuple[str, ...] = FORMS
    model: Literal["logistic", "stumps"] = "logistic"
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in FITTERS:
            raise ParameterError(f"model = {self.model!r}: expected one of {', '.join(FITTERS)}")
        if not self.forms or not set(self.forms) <= set(FORMS):
            raise ParameterError(f"forms = {self.forms!r}: expected some of {', '.join(FORMS)}")
        if self.folds < 2:
            raise ParameterError(f"folds = {self.folds}: expected at least 2")


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
    left_out: Mapping[str, str] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class _Problem:
    """One pool, as fitting sees it.

    Attributes:
        group: Pools of one group are in one fold: the problem, in whatever run.
        columns: Scores by method, of the graded candidates.
        passed: Of the same.
    """

    group: str
    columns: Mapping[str, Sequence[float | None]]
    passed: Sequence[bool]

    @property
    def teaches(self) -> bool:
        """Whether some candidates are right and some wrong."""
        return 0 < sum(self.passed) < len(self.passed)


def fit_reranker(runs: Sequence[RunContents], options: FitOptions | None = None) -> Fit:
    """Learn to tell right candidates from wrong ones by what other rerankers say of them.

    Each method's score, its rank and its z-score within the problem, and whether there is one, are the
    features. Every problem weighs the same, its right candidates as much as its wrong ones, so that what is
    learnt tells candidates of one problem apart, not easy problems from hard ones. Problems that occur in
    several runs, such as those of two models, are never held out in one and fitted on in another.

    Args:
        runs: Scored by the methods, with verdicts.
        options: Default: every method of all runs, logistic regression, five folds.

    Raises:
        RerankerError: a run is not scored by the methods; or scikit-learn is not installed.
        ParameterError: too few problems with right candidates and wrong ones for the folds.
        CodesampleError: as `load_reranker`, of a method that is named.
    """
    chosen = options or FitOptions()
    places, left_out = _methods(runs, chosen.methods)
    problems = [each for run in runs for each in _problems(run, places)]
    teaching = [each for each in problems if each.teaches]
    folds = _folds(sorted({each.group for each in problems}), chosen)
    # every fold leaves some out and some in
    if len({folds[each.group] for each in teaching}) < 2 or len(teaching) < 2 * chosen.folds:
        raise ParameterError(
            f"{len(teaching)} of {len(problems)} problems have right candidates and wrong ones: expected at "
            f"least {2 * chosen.folds} for {chosen.folds} folds; take more problems or candidates"
        )
    held_out = _held_out(problems, folds, chosen)
    figures = _figures(problems, held_out)
    content = msgspec.structs.replace(
        _fitted(problems, chosen),
        methods=places,
        prompts=tuple(sorted({prompt_digest(pool.problem.prompt) for run in runs for pool in run.pools})),
        trained_on=tuple(map(_told, runs)),
        cross_validation={
            "folds": chosen.folds,
            "problems": len(problems),
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
        fitted_on=len(teaching),
        learnt=figures["learnt"],
        methods=methods,
        random=figures["random"],
        oracle=figures["oracle"],
        over_best=_over(problems, held_out, best),
        best=best,
        left_out=left_out,
    )


def _methods(runs: Sequence[RunContents], named: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the methods by name with what loads each, and why others are left out."""
    if not runs:
        raise ParameterError("no run to learn from; name one or several")
    for run in runs:
        if not run.scores:
            raise RerankerError(
                f"{run.path}: is scored by no reranker; score it first: codesample rerank {run.path} -r NAME"
            )
    if named:
        loaded = {load_reranker(spec).name: _lasting(spec) for spec in named}
        for run in runs:
            if missing := sorted(loaded.keys() - run.scores.keys()):
                again = " ".join(f"-r {loaded[name]}" for name in missing)
                raise RerankerError(
                    f"{run.path}: is not scored by {', '.join(missing)}; score it first: codesample rerank "
                    f"{run.path} {again}"
                )
        return loaded, {}
    shared = set.intersection(*(set(run.scores) for run in runs))
    every = set().union(*(run.scores for run in runs))
    left_out = dict.fromkeys(sorted(every - shared), "not all runs are scored by it")
    places = {}
    for name in sorted(shared):
        try:
            places[load_reranker(name).name] = name
        except CodesampleError as error:
            left_out[name] = f"it is not known by this name; give it by --features FILE.py:NAME ({error})"
    if not places:
        said = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise RerankerError(f"no reranker to learn from that scored all runs: {said}")
    return places, left_out


def _lasting(spec: str) -> str:
    """Return a name with the absolute path of the file that it names, if it names one."""
    where, colon, name = spec.rpartition(":")
    is_place = colon and where.endswith(".py") and name.isidentifier()
    return f"{Path(where).resolve()}:{name}" if is_place else spec


def _problems(run: RunContents, names: Mapping[str, str]) -> list[_Problem]:
    return [
        _Problem(
            pool.problem.task_id,
            {name: _graded(pool, run.scores[name][pool.problem.task_id]) for name in names},
            pool.passed,
        )
        for pool in run.pools
        if pool.graded
    ]


def _graded(pool: Pool, column: Sequence[float | None]) -> list[float | None]:
    return [column[at] for at in pool.graded]


def _folds(groups: Sequence[str], options: FitOptions) -> dict[str, int]:
    """Deal the groups out to the folds."""
    shuffled = list(groups)
    random.Random(options.seed).shuffle(shuffled)
    return {group: at % options.folds for at, group in enumerate(shuffled)}


def _held_out(
    problems: Sequence[_Problem], folds: Mapping[str, int], options: FitOptions
) -> list[list[float]]:
    """Return each problem's scores by what was fitted on the other folds."""
    models: dict[int, FittedFile] = {}
    for fold in sorted(set(folds.values())):
        models[fold] = _fitted([each for each in problems if folds[each.group] != fold], options)
    return [models[folds[each.group]].values(each.columns) for each in problems]


def _fitted(problems: Sequence[_Problem], options: FitOptions) -> FittedFile:
    """Fit the model on some problems."""
    teaching = [each for each in problems if each.teaches]
    names = sorted(problems[0].columns)
    raw = [(name, form) for name in names for form in options.forms]
    made = [{name: feature_values(column) for name, column in each.columns.items()} for each in teaching]
    columns = {
        (name, form): [value for of_problem in made for value in of_problem[name][form]] for name, form in raw
    }
    scaled = [_scaled(name, form, columns[name, form]) for name, form in raw]
    # what is the same everywhere tells nothing
    features = [each for each in scaled if each is not None]
    if not features:
        raise ParameterError("every method gives every candidate the same score: there is nothing to learn")
    rows = list(
        zip(
            *(
                [((each.mean if value is None else value) - each.mean) / each.scale for value in column]
                for each in features
                for column in [columns[each.method, each.form]]
            ),
            strict=True,
        )
    )
    passed = [right for each in teaching for right in each.passed]
    weights = [weight for each in teaching for weight in _balanced(each.passed)]
    model = FITTERS[options.model](rows, passed, weights, seed=options.seed)
    return FittedFile(methods=dict.fromkeys(names, ""), features=tuple(features), model=model)


def _balanced(passed: Sequence[bool]) -> list[float]:
    """Weigh the right candidates of a problem as much as its wrong ones: how hard it is teaches nothing."""
    right = sum(passed)
    return [0.5 / right if each else 0.5 / (len(passed) - right) for each in passed]


def _scaled(name: str, form: str, column: Sequence[float | None]) -> Feature | None:
    # squares of large numbers are no floats
    size = max((abs(each) for each in column if each is not None), default=0.0) or 1.0
    there = [each / size for each in column if each is not None]
    mean = math.fsum(there) / len(there) if there else 0.0
    spread = math.sqrt(math.fsum((each - mean) ** 2 for each in there) / len(there)) if there else 0.0
    if spread <= _FLAT:
        return None
    return Feature(name, form, mean * size, spread * size)  # type: ignore[arg-type]


def _figures(problems: Sequence[_Problem], held_out: Sequence[Sequence[float]]) -> dict[str, Estimate]:
    sizes = [(len(each.passed), sum(each.passed)) for each in problems]
    columns = {
        "random": [pass_at_k(size, right, 1) for size, right in sizes],
        "oracle": [pass_at_k(size, right, size) for size, right in sizes],
        "learnt": _chosen(problems, held_out),
        **{name: _by(problems, name) for name in problems[0].columns},
    }
    draws = Draws(len(problems), clusters=[each.group for each in problems])
    return dict(zip(columns, draws.shares(list(columns.values())), strict=True))


def _over(problems: Sequence[_Problem], held_out: Sequence[Sequence[float]], best: str) -> Estimate:
    ours, theirs = _chosen(problems, held_out), _by(problems, best)
    draws = Draws(len(problems), clusters=[each.group for each in problems])
    return draws.differences([[a - b for a, b in zip(ours, theirs, strict=True)]])[0]


def _chosen(problems: Sequence[_Problem], scores: Sequence[Sequence[float]]) -> list[float]:
    return [best_of_n(row, each.passed) for each, row in zip(problems, scores, strict=True)]


def _by(problems: Sequence[_Problem], name: str) -> list[float]:
    return [best_of_n(each.columns[name], each.passed) for each in problems]


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
