"""Paired differences: p-values by all signs, by brute force and by simulation."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import MetricError
from codesample.evaluation.intervals import Draws
from codesample.evaluation.paired import Paired, paired, sign_flip_p

DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.125, 0.5, 1.0]), min_size=1, max_size=9)


def by_brute_force(differences: list[float]) -> float:
    seen = abs(sum(differences))
    signs = list(itertools.product((1, -1), repeat=len(differences)))
    far = [abs(sum(s * d for s, d in zip(each, differences, strict=True))) >= seen - 1e-12 for each in signs]
    return sum(far) / len(signs)


@settings(max_examples=150)
@given(DIFFERENCES)
def test_p_is_the_share_of_all_signs_that_go_as_far(differences: list[float]) -> None:
    assert sign_flip_p(differences) == pytest.approx(by_brute_force(differences))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30))
def test_of_passed_and_failed_it_is_the_exact_test_of_mcnemar(won: int, lost: int, tied: int) -> None:
    differences = [1.0] * won + [-1.0] * lost + [0.0] * tied or [0.0]
    trials = won + lost
    tail = sum(math.comb(trials, each) for each in range(max(won, lost), trials + 1)) / 2**trials
    assert sign_flip_p(differences) == pytest.approx(min(1.0, 2 * tail))


def test_drawn_signs_agree_with_all_signs() -> None:
    rng = random.Random(4)
    for _ in range(5):
        differences = [round(rng.random() - 0.4, 3) for _ in range(15)]
        exact = by_brute_force(differences)
        assert sign_flip_p(differences) == pytest.approx(exact, abs=4 * math.sqrt(exact / 4999) + 2e-4)


def test_drawn_signs_repeat_and_never_give_zero() -> None:
    differences = [0.5 + at / 1000 for at in range(60)]
    assert sign_flip_p(differences) == sign_flip_p(differences) == pytest.approx(1 / 5000)
    assert sign_flip_p([0.0, 0.0]) == 1.0


@given(DIFFERENCES)
def test_neither_order_nor_side_nor_ties_matter(differences: list[float]) -> None:
    p = sign_flip_p(differences)
    assert sign_flip_p([-each for each in reversed(differences)]) == pytest.approx(p)
    assert sign_flip_p([*differences, 0.0, 0.0]) == pytest.approx(p)


def test_p_is_uniform_enough_where_neither_side_is_better() -> None:
    rng = random.Random(8)
    runs = [
        sign_flip_p([rng.choice([-1, 1]) * rng.random() for _ in range(25)], seed=at) for at in range(400)
    ]
    # 20 expected; three standard deviations are 13
    assert 8 <= sum(p <= 0.05 for p in runs) <= 33


def test_a_pair_says_how_much_how_sure_and_on_how_many() -> None:
    ours, theirs = [1.0, 1.0, 0.5, 0.0], [0.0, 1.0, 0.25, 0.5]
    (got,) = paired([(ours, theirs)], Draws(4))
    assert (got.won, got.lost, got.tied) == (2, 1, 1)
    assert got.difference.value == pytest.approx((1 + 0.25 - 0.5) / 4)
    assert got.p == pytest.approx(by_brute_force([1.0, 0.0, 0.25, -0.5]))
    assert Paired.from_json(got.as_json()) == got


def test_what_has_no_p_value_is_refused() -> None:
    with pytest.raises(MetricError, match="no problems"):
        sign_flip_p([])
    with pytest.raises(MetricError, match="finite"):
        sign_flip_p([0.1, math.nan])
    with pytest.raises(MetricError, match="2 and 1"):
        paired([([0.1, 0.2], [0.1])], Draws(2))
