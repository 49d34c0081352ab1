from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import MetricError
from codesample.evaluation.intervals import Estimate, bootstrap, paired_bootstrap

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_an_estimate_holds_value_and_ends() -> None:
    assert bootstrap([0.25, 0.25]) == Estimate(value=0.25, low=0.25, high=0.25)


@settings(max_examples=50)
@given(SHARES, st.integers(0, 5))
def test_the_interval_lies_in_the_range_of_the_values_and_is_repeatable(
    values: list[float], seed: int
) -> None:
    first = bootstrap(values, resamples=200, seed=seed)
    assert min(values) - 1e-12 <= first.low <= first.high <= max(values) + 1e-12
    assert first.value == pytest.approx(fmean(values))
    assert bootstrap(values, resamples=200, seed=seed) == first


def test_another_seed_draws_other_problems() -> None:
    rng = random.Random(1)
    values = [rng.random() for _ in range(40)]
    assert bootstrap(values, seed=0).low != bootstrap(values, seed=1).low


def test_a_wider_level_is_a_wider_interval() -> None:
    values = [float(index % 3 == 0) for index in range(60)]
    narrow, wide = bootstrap(values, level=0.5), bootstrap(values, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_of_half_right_on_164_problems_is_the_binomial_one() -> None:
    values = [float(index < 82) for index in range(164)]
    got = bootstrap(values, resamples=20_000)
    # normal approximation: 1.96 * sqrt(0.25 / 164) = 0.0765
    assert got.low == pytest.approx(0.5 - 0.0765, abs=0.01)
    assert got.high == pytest.approx(0.5 + 0.0765, abs=0.01)


def test_intervals_cover_the_truth_about_as_often_as_stated() -> None:
    rng = random.Random(0)
    covered = 0
    for trial in range(200):
        values = [float(rng.random() < 0.4) for _ in range(100)]
        got = bootstrap(values, level=0.9, resamples=300, seed=trial)
        covered += got.low <= 0.4 <= got.high
    # 180 expected; 3.5 standard deviations of a binomial are 15
    assert 165 <= covered <= 195


def test_a_paired_difference_is_narrower_than_two_separate_intervals() -> None:
    rng = random.Random(0)
    base = [rng.random() for _ in range(80)]
    better = [value + 0.05 for value in base]
    got = paired_bootstrap(better, base)
    assert got.value == pytest.approx(0.05)
    assert got.high - got.low < 1e-9
    assert bootstrap(better).low < bootstrap(base).high


@pytest.mark.parametrize(
    ("values", "options", "complaint"),
    [
        ([], {}, "no problems"),
        ([0.5, math.nan], {}, "finite"),
        ([math.inf], {}, "finite"),
        ([0.5], {"level": 1.0}, "level = 1.0"),
        ([0.5], {"level": 0.0}, "level = 0.0"),
        ([0.5], {"resamples": 0}, "resamples = 0"),
    ],
)
def test_what_has_no_interval_is_refused(
    values: list[float], options: dict[str, float], complaint: str
) -> None:
    with pytest.raises(MetricError, match=complaint):
        bootstrap(values, **options)  # type: ignore[arg-type]


def test_unpaired_figures_are_refused() -> None:
    with pytest.raises(MetricError, match="differ in length: 2 and 1"):
        paired_bootstrap([0.1, 0.2], [0.1])
