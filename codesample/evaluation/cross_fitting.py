"""Fits a model on some problems and scores the others by it, fold by fold; settles how close the fit is."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from codesample.errors import ParameterError
from codesample.evaluation.fitted_models import FITTERS, STRENGTHS
from codesample.evaluation.metrics import best_of_n
from codesample.rerankers.fitted import FORMS, Feature, FittedFile, feature_values

__all__ = [
    "FitOptions",
    "FitProblem",
    "best_by_fold",
    "best_of_method",
    "best_of_scores",
    "dealt",
    "fit_model",
    "held_out_scores",
    "settled_strength",
]

_FLAT = 1e-12
_INNER_FOLDS = 3


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
class FitProblem:
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


def dealt(problems: Sequence[FitProblem], count: int, seed: int) -> dict[str, int]:
    """Deal the groups of problems out to the folds."""
    shuffled = sorted({each.group for each in problems})
    random.Random(seed).shuffle(shuffled)
    return {group: at % count for at, group in enumerate(shuffled)}


def held_out_scores(
    problems: Sequence[FitProblem],
    folds: Mapping[str, int],
    options: FitOptions,
    strength: float | None = None,
) -> list[list[float]]:
    """Return each problem's scores by what was fitted on the other folds.

    Args:
        strength: None settles it by these other folds.
    """
    models: dict[int, FittedFile] = {}
    for fold in sorted(set(folds.values())):
        others = _others(problems, folds, fold)
        chosen = settled_strength(others, options) if strength is None else strength
        models[fold] = fit_model(others, options, chosen)
    return [models[folds[each.group]].values(each.columns) for each in problems]


def _others(problems: Sequence[FitProblem], folds: Mapping[str, int], fold: int) -> list[FitProblem]:
    return [each for each in problems if folds[each.group] != fold]


def settled_strength(problems: Sequence[FitProblem], options: FitOptions) -> float:
    """Return how closely a model may follow these problems, as found on parts of them held out in turn."""
    teaching = [each for each in problems if each.teaches]
    folds = dealt(teaching, _INNER_FOLDS, options.seed)
    if len(set(folds.values())) < 2:
        return STRENGTHS[0]
    try:
        gained = {
            strength: fmean(best_of_scores(teaching, held_out_scores(teaching, folds, options, strength)))
            for strength in STRENGTHS
        }
    except ParameterError:
        # a part of them teaches nothing
        return STRENGTHS[0]
    return max(STRENGTHS, key=lambda strength: round(gained[strength], 9))


def best_by_fold(problems: Sequence[FitProblem], folds: Mapping[str, int]) -> list[float]:
    """Return each problem's best-of-n by the method that is best on the other folds."""
    by_method = {name: best_of_method(problems, name) for name in problems[0].columns}
    best = {}
    for fold in set(folds.values()):
        at = [place for place, each in enumerate(problems) if folds[each.group] != fold]
        best[fold] = max(by_method, key=lambda name: math.fsum(by_method[name][place] for place in at))
    return [by_method[best[folds[each.group]]][place] for place, each in enumerate(problems)]


def fit_model(problems: Sequence[FitProblem], options: FitOptions, strength: float) -> FittedFile:
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
            *(each.scaled(columns[each.method, each.form]) for each in features),
            strict=True,
        )
    )
    passed = [right for each in teaching for right in each.passed]
    weights = [weight for each in teaching for weight in _balanced(each.passed)]
    model = FITTERS[options.model](rows, passed, weights, seed=options.seed, strength=strength)
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


def best_of_scores(problems: Sequence[FitProblem], scores: Sequence[Sequence[float]]) -> list[float]:
    """Return each problem's best-of-n by scores of its candidates."""
    return [best_of_n(row, each.passed) for each, row in zip(problems, scores, strict=True)]


def best_of_method(problems: Sequence[FitProblem], name: str) -> list[float]:
    """Return each problem's best-of-n by one of its methods."""
    return [best_of_n(each.columns[name], each.passed) for each in problems]
