"""Fitting fold by fold: how closely a model may follow what it is fitted on is found on folds of these."""

from __future__ import annotations

import random

import pytest

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
from codesample.evaluation.fitted_models import STRENGTHS


def problems(count: int, *, seed: int = 0, noise: float, useless: int) -> list[FitProblem]:
    """One method that tells right from wrong as far as the noise lets it, and others that say nothing."""
    rng = random.Random(seed)
    made = []
    for at in range(count):
        passed = [rng.random() < 0.4 for _ in range(8)]
        columns = {"good": [right + rng.gauss(0, noise) for right in passed]}
        columns |= {f"useless{each}": [rng.gauss(0, 1) for _ in passed] for each in range(useless)}
        made.append(FitProblem(f"{at}", columns, passed))
    return made


def test_many_useless_methods_make_the_fit_cautious_and_no_worse_than_the_good_one() -> None:
    given, options = problems(20, noise=0.8, useless=25), FitOptions(forms=("rank",))
    folds = dealt(given, 2, 0)
    settled = best_of_scores(given, held_out_scores(given, folds, options))
    eager = best_of_scores(given, held_out_scores(given, folds, options, 1.0))
    assert settled_strength(given, options) < 1.0
    assert sum(settled) > sum(eager)
    assert sum(settled) >= sum(best_of_method(given, "good")) - 2


def test_the_strength_is_that_with_the_best_choices_on_inner_folds() -> None:
    given, options = problems(30, noise=1.0, useless=4), FitOptions(forms=("z",))
    teaching = [each for each in given if each.teaches]
    inner = dealt(teaching, 3, options.seed)
    gained = [
        sum(best_of_scores(teaching, held_out_scores(teaching, inner, options, strength)))
        for strength in STRENGTHS
    ]
    # of equal ones the first, which is the most cautious
    assert settled_strength(given, options) == STRENGTHS[gained.index(max(gained))]
    assert list(STRENGTHS) == sorted(STRENGTHS)


def test_where_nothing_can_be_held_out_the_most_cautious_is_taken() -> None:
    alone = [each for each in problems(9, noise=1.0, useless=0) if each.teaches][:1]
    assert settled_strength(alone, FitOptions()) == STRENGTHS[0]
    flat = [FitProblem(f"{at}", {"flat": [1.0, 1.0]}, [True, False]) for at in range(9)]
    assert settled_strength(flat, FitOptions()) == STRENGTHS[0]


def test_the_best_method_is_chosen_without_the_problems_that_it_is_shown_on() -> None:
    # "one" is right on fold 0 alone, "two" on fold 1 alone: whoever looked ahead would have both
    marks = {"one": (True, False), "two": (False, True)}
    given = [
        FitProblem(
            f"{at}", {name: [float(right[at % 2]), 0.5] for name, right in marks.items()}, [True, False]
        )
        for at in range(8)
    ]
    folds = {each.group: at % 2 for at, each in enumerate(given)}
    assert best_by_fold(given, folds) == [0.0] * 8
    assert sum(best_of_method(given, "one")) == 4


@pytest.mark.parametrize("size", [1e-300, 1e200, 1.7e308])
@pytest.mark.parametrize("model", ["logistic", "stumps"])
def test_scores_of_any_size_are_learnt_from_as_small_ones_are(size: float, model: str) -> None:
    rng = random.Random(4)
    passed = [[rng.random() < 0.5 for _ in range(6)] for _ in range(20)]
    scores = [[rng.choice((-0.5, 0.25, 1.0)) * (2 * right - 1) for right in row] for row in passed]
    options = FitOptions(model=model)  # type: ignore[arg-type]
    chosen = []
    for factor in (1.0, size):
        given = [
            FitProblem(f"{at}", {"m": [factor * each for each in row]}, marks)
            for at, (row, marks) in enumerate(zip(scores, passed, strict=True))
        ]
        model_of = fit_model(given, options, 1.0)
        chosen.append([model_of.values(each.columns) for each in given])
    for small, large in zip(*chosen, strict=True):
        assert large == pytest.approx(small)
