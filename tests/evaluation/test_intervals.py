from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import MetricError
from codesample.evaluation.intervals import Draws, Estimate, bootstrap, paired_bootstrap

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_an_estimate_holds_value_and_ends() -> None:
    # of two problems, a kind that is 84 % of all goes unseen with a chance of 2.5 %
    unseen = 1 - 0.025**0.5
    got = bootstrap([0.25, 0.25])
    assert got == Estimate(value=0.25, low=got.low, high=got.high)
    assert (got.low, got.high) == pytest.approx((0.25 * (1 - unseen), 0.25 + 0.75 * unseen))


@settings(max_examples=50)
@given(SHARES, st.integers(0, 5))
def test_the_interval_lies_in_the_range_of_shares_and_is_repeatable(values: list[float], seed: int) -> None:
    first = bootstrap(values, resamples=200, seed=seed)
    assert 0 <= first.low <= first.value <= first.high <= 1
    # never as if nothing were left to learn, which 30 problems never show
    assert first.high - first.low >= 0.99 * (1 - 0.025 ** (1 / len(values)))
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
    base = [0.9 * rng.random() for _ in range(80)]
    better = [value + 0.05 for value in base]
    got = paired_bootstrap(better, base)
    assert got.value == pytest.approx(0.05)
    unseen = 1 - 0.025 ** (1 / 80)
    assert (got.low, got.high) == pytest.approx((0.05 - 1.05 * unseen, 0.05 + 0.95 * unseen), abs=1e-8)
    assert got.low > 0
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


def test_columns_together_are_as_each_alone() -> None:
    rng = random.Random(2)
    columns = [[rng.choice([0.0, 1.0, rng.random()]) for _ in range(30)] for _ in range(7)]
    columns += [
        [0.25] * 30,
        [-5.0 + rng.random() for _ in range(30)],
        [1e9 * rng.random() for _ in range(30)],
    ]
    draws = Draws(30, resamples=300)
    together = draws.estimates(columns, between=(-5.0, 1e9))
    for column, estimate in zip(columns, together, strict=True):
        (alone,) = draws.estimates([column], between=(-5.0, 1e9))
        assert (alone.value, alone.low, alone.high) == pytest.approx(
            (estimate.value, estimate.low, estimate.high), rel=1e-9
        )
        assert estimate.value == pytest.approx(fmean(column))


def test_means_are_those_of_problems_drawn_with_replacement() -> None:
    values = [0.0, 1.0, 0.5, 0.25, 0.125]
    (means,) = Draws(5, resamples=50, seed=3).means([values])
    rng = random.Random(3)
    expected = [fmean(rng.choices(values, k=5)) for _ in range(50)]
    assert means == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("count", [1, 2, 10, 164])
def test_where_none_or_all_pass_the_interval_is_that_of_so_many_trials(count: int) -> None:
    none, every = Draws(count).shares([[0.0] * count, [1.0] * count])
    # the chance that so many trials never show is half of what lies outside
    assert (1 - none.high) ** count == pytest.approx(0.025)
    assert (none.value, none.low) == (0.0, 0.0)
    assert (every.low, every.value, every.high) == (pytest.approx(1 - none.high), 1.0, 1.0)


def test_shares_stay_between_nothing_and_all_and_hold_their_value() -> None:
    rng = random.Random(5)
    for size in (1, 2, 3, 9, 40):
        column = [rng.choice([0.0, 1.0, 0.3]) for _ in range(size)]
        (estimate,) = Draws(size, resamples=200).shares([column])
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    with pytest.raises(MetricError, match=r"a figure lies outside \[0, 1\]"):
        Draws(2).shares([[0.5, 1.5]])
    with pytest.raises(MetricError, match="finite"):
        Draws(2).shares([[0.5, math.nan]])
    with pytest.raises(MetricError, match=r"outside \[-1, 1\]"):
        Draws(2).differences([[0.5, -1.5]])


def test_a_ratio_has_the_value_and_the_spread_of_two_means_drawn_together() -> None:
    rng = random.Random(7)
    below = [rng.random() for _ in range(60)]
    half, noisy = [value / 2 for value in below], [value * rng.random() for value in below]
    first, second = Draws(60).ratios([half, noisy], below)
    assert first is not None
    assert second is not None
    # both move together, and what 60 problems never showed is all that is left
    unseen, least = 1 - 0.025 ** (1 / 60), 1 - 1 / fmean(below)
    ends = (0.5 - unseen * (0.5 - least), 0.5, 0.5 + unseen * 0.5)
    assert (first.low, first.value, first.high) == pytest.approx(ends, abs=1e-8)
    assert second.value == pytest.approx(fmean(noisy) / fmean(below))
    assert second.low < second.value < second.high


def test_a_ratio_to_nothing_is_none_and_one_that_is_whole_everywhere_keeps_a_doubt() -> None:
    assert Draws(3).ratios([[0.1, 0.2, 0.3]], [0.0, 0.0, 0.0]) == [None]
    gap = [0.5, 0.0, 0.25, 0.0]
    (closed,) = Draws(4).ratios([gap], gap)
    # of two problems with a gap
    assert (closed.value, closed.low, closed.high) == pytest.approx((1.0, 0.025 ** (1 / 2), 1.0))


def test_problems_of_one_cluster_are_drawn_together() -> None:
    values = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 4
    clusters = [at // 4 for at in range(32)]
    (alone,) = Draws(32).shares([values])
    (together,) = Draws(32, clusters=clusters).shares([values])
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    (each,) = Draws(32, clusters=list(range(32))).shares([values])
    assert each == alone
    # one cluster says as little as one problem
    (one,) = Draws(32, clusters=["all"] * 32).shares([values])
    assert one == Draws(1).shares([[0.5]])[0]
    with pytest.raises(MetricError, match="31 clusters for 32 problems"):
        Draws(32, clusters=clusters[:-1])


def test_one_problem_says_next_to_nothing_whatever_its_figure() -> None:
    draws = Draws(1)
    assert draws.shares([[0.5]]) == [Estimate(0.5, 0.0125, 0.9875)]
    assert draws.differences([[-0.5]]) == [Estimate(-0.5, -0.9875, 0.9625)]
    # a gap of a half: from always wrong to always right
    lost, none, won = draws.ratios([[-0.5], [0.0], [0.5]], [0.5])
    assert lost == Estimate(-1.0, -1.0, 0.95)
    assert none == Estimate(0.0, -0.975, 0.975)
    assert won == Estimate(1.0, 0.025, 1.0)


@pytest.mark.parametrize("count", [2, 10, 164])
def test_figures_that_are_all_equal_leave_what_so_many_problems_cannot_have_shown(count: int) -> None:
    draws = Draws(count)
    (share,), (difference,) = draws.shares([[0.3] * count]), draws.differences([[-0.3] * count])
    unseen = 1 - 0.025 ** (1 / count)
    assert (share.low, share.high) == pytest.approx((0.3 * (1 - unseen), 0.3 + 0.7 * unseen), abs=1e-8)
    assert (difference.low, difference.high) == pytest.approx(
        (-0.3 - 0.7 * unseen, -0.3 + 1.3 * unseen), abs=1e-8
    )


def test_nearly_equal_figures_are_no_surer_than_equal_ones() -> None:
    almost, equal = Draws(40).shares([[0.5] * 39 + [0.501], [0.5] * 40])
    assert almost.low <= equal.low + 1e-4
    assert almost.high >= equal.high - 1e-4


def test_intervals_of_figures_that_seldom_differ_cover_the_truth() -> None:
    rng = random.Random(3)
    # a half, and one in twenty problems is whole
    columns = [[1.0 if rng.random() < 0.05 else 0.5 for _ in range(20)] for _ in range(300)]
    found = Draws(20, resamples=300).shares(columns)
    # 285 expected where it is exact; the bootstrap alone held it in 194
    assert sum(each.low <= 0.525 <= each.high for each in found) >= 285


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(MetricError, match="2 figures for 3 problems"):
        Draws(3).means([[0.0, 1.0, 0.0], [0.0, 1.0]])
    assert Draws(3).means([]) == []


@pytest.mark.parametrize("chance", [0.05, 0.5, 0.95])
def test_intervals_of_few_problems_cover_rare_passes_too(chance: float) -> None:
    rng = random.Random(11)
    draws = Draws(20, resamples=400)
    columns = [[float(rng.random() < chance) for _ in range(20)] for _ in range(300)]
    covered = sum(each.low <= chance <= each.high for each in draws.shares(columns))
    # 285 expected where it is exact; the percentiles of before held 0.05 in 177 of 300
    assert covered >= 272
