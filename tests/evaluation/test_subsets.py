"""Best-of-n over subsets that are scored anew."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.metrics import best_of_n, best_of_n_curve, pass_at_k
from codesample.evaluation.subsets import best_of_subsets, subsets_of

WORDS = ["a", "b", "a", "c", "a", "b"]
PASSED = [True, False, True, False, False, False]


def votes(at: Sequence[int]) -> list[float]:
    """Score a candidate by how many of the subset are equal to it."""
    return [float(sum(WORDS[other] == WORDS[each] for other in at)) for each in at]


def test_few_subsets_are_all_taken_and_the_mean_is_exact() -> None:
    for size in (2, 4, 5):
        subsets = list(itertools.combinations(range(6), size))
        exact = fmean(best_of_n(votes(at), [PASSED[each] for each in at]) for at in subsets)
        assert best_of_subsets(votes, PASSED, [size], seed=0, key="p") == [pytest.approx(exact)]


@given(st.integers(1, 60), st.data())
def test_subsets_are_distinct_sorted_bounded_and_repeatable(total: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, total))
    found = subsets_of(total, size, seed=3, key="p")
    assert found == subsets_of(total, size, seed=3, key="p")
    assert len(set(found)) == len(found) <= 16
    assert all(list(each) == sorted(set(each)) and len(each) == size for each in found)
    assert all(0 <= at < total for each in found for at in each)


def test_another_seed_or_problem_draws_others() -> None:
    first = subsets_of(40, 8, seed=0, key="p")
    assert first != subsets_of(40, 8, seed=1, key="p")
    assert first != subsets_of(40, 8, seed=0, key="q")


def test_subsets_have_no_favourites() -> None:
    counts = [0] * 20
    for key in range(200):
        for each in subsets_of(20, 5, seed=0, key=str(key)):
            for at in each:
                counts[at] += 1
    # 200 x 16 x 5 / 20 = 800 expected of each
    assert all(700 < count < 900 for count in counts)


def test_of_an_independent_score_it_estimates_the_closed_form() -> None:
    scores = [float((7 * at) % 40) for at in range(40)]
    passed = [at % 3 == 0 for at in range(40)]
    (exact,) = best_of_n_curve(scores, passed, [8])
    got = fmean(
        best_of_subsets(lambda at: [scores[each] for each in at], passed, [8], seed=0, key=str(key))[0]
        for key in range(300)
    )
    assert got == pytest.approx(exact, abs=0.03)


def test_nothing_is_scored_where_any_choice_is_as_good() -> None:
    def refuse(at: Sequence[int]) -> list[float]:
        raise AssertionError(at)

    assert best_of_subsets(refuse, [True] * 9, [1, 4, 9], seed=0, key="p") == [1.0] * 3
    assert best_of_subsets(refuse, [False] * 9, [1, 4, 9, 20], seed=0, key="p") == [0.0] * 4
    assert best_of_subsets(refuse, [True, False], [1], seed=0, key="p") == [pass_at_k(2, 1, 1)]


def test_a_size_beyond_the_pool_is_all_of_it() -> None:
    whole, beyond = best_of_subsets(votes, PASSED, [6, 50], seed=0, key="p")
    assert whole == beyond == pytest.approx(best_of_n(votes(range(6)), PASSED))
