from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesample.errors import MetricError
from codesample.evaluation.metrics import (
    ByProblem,
    auc,
    best_of_n,
    best_of_n_curve,
    gap_closed,
    pass_at_k,
    pass_at_k_by_problem,
    ragged_pass_at_k,
    ranked_pass_at_k,
    sampling_variance,
    tied_scores,
)

Pool = list[tuple[float | None, bool]]
POOLS = st.lists(
    st.tuples(st.none() | st.sampled_from([-2.0, 0.0, 0.5]), st.booleans()), min_size=1, max_size=6
)
LARGE_POOLS = st.lists(
    st.tuples(st.none() | st.integers(-3, 3).map(float), st.booleans()), min_size=1, max_size=40
)


def _key(score: float | None) -> tuple[bool, float]:
    return (score is not None, score or 0.0)


def _scores(pool: Pool) -> list[float | None]:
    return [score for score, _ in pool]


def _passed(pool: Pool) -> list[bool]:
    return [passed for _, passed in pool]


def _top_k_by_brute_force(pool: Pool, k: int) -> Fraction:
    """Average over all orders of the pool that its scores allow."""
    hits = total = 0
    for order in itertools.permutations(pool):
        if all(_key(a[0]) >= _key(b[0]) for a, b in itertools.pairwise(order)):
            total += 1
            hits += any(passed for _, passed in order[:k])
    return Fraction(hits, total)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [(1, 0, 1, 0.0), (1, 1, 1, 1.0), (5, 2, 1, 0.4), (5, 2, 4, 1.0), (5, 2, 2, 0.7), (200, 0, 100, 0.0)],
)
def test_pass_at_k_of_small_pools(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-15)


@given(st.integers(1, 400), st.data())
def test_pass_at_k_is_the_exact_share_of_subsets(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
    assert pass_at_k(n, c, k) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 6), (5, 2, 0), (0, 0, 1), (5, 6, 1), (5, -1, 1)])
def test_pass_at_k_outside_its_range_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(MetricError):
        pass_at_k(n, c, k)


def test_each_problem_counts_with_its_own_n() -> None:
    counts = {"a": (10, 5), "b": (2, 2), "c": (4, 0)}
    assert pass_at_k_by_problem(counts, 2) == {"a": pass_at_k(10, 5, 2), "b": 1.0, "c": 0.0}


def test_k_above_a_problems_n_names_the_problem() -> None:
    with pytest.raises(
        MetricError, match=r"pass@5 needs at least 5 candidates, problem 'b' has 2; .* k <= 2"
    ):
        pass_at_k_by_problem({"a": (10, 5), "b": (2, 2), "c": (4, 0)}, 5)
    with pytest.raises(MetricError, match="pass@1 of no problems"):
        pass_at_k_by_problem({}, 1)


def test_a_problem_with_too_few_candidates_is_counted_whatever_becomes_of_it() -> None:
    counts = {"a": (10, 5), "b": (2, 1), "c": (4, 0), "d": (0, 0)}
    assert ragged_pass_at_k(counts, 3, short="leave_out") == ByProblem(
        {"a": pass_at_k(10, 5, 3), "c": 0.0}, ("b", "d")
    )
    # all that b has: two candidates, of which one passes
    assert ragged_pass_at_k(counts, 3, short="use_all") == ByProblem(
        {"a": pass_at_k(10, 5, 3), "b": 1.0, "c": 0.0}, ("b", "d")
    )
    with pytest.raises(MetricError, match="problem 'd' has 0"):
        ragged_pass_at_k(counts, 3)
    assert ragged_pass_at_k({"a": (3, 1)}, 3) == ByProblem({"a": 1.0}, ())


def test_figures_of_no_problem_are_refused_and_k_is_checked_first() -> None:
    with pytest.raises(MetricError, match="none of 2 problems has 3 candidates"):
        ragged_pass_at_k({"a": (2, 1), "b": (1, 1)}, 3, short="leave_out")
    with pytest.raises(MetricError, match="none of 1 problems has 1 candidates"):
        ragged_pass_at_k({"a": (0, 0)}, 3, short="use_all")
    with pytest.raises(MetricError, match="k = 0"):
        ragged_pass_at_k({"a": (2, 1)}, 0, short="use_all")


@pytest.mark.parametrize("chance", [Fraction(1, 10), Fraction(2, 3)])
@pytest.mark.parametrize(("n", "k"), [(1, 4), (3, 4), (4, 4), (6, 4)])
def test_using_all_is_unbiased_for_what_so_many_candidates_give(n: int, k: int, chance: Fraction) -> None:
    weights = [math.comb(n, c) * chance**c * (1 - chance) ** (n - c) for c in range(n + 1)]
    figures = [ragged_pass_at_k({"a": (n, c)}, k, short="use_all").values["a"] for c in range(n + 1)]
    mean = sum(float(weight) * figure for weight, figure in zip(weights, figures, strict=True))
    assert mean == pytest.approx(float(1 - (1 - chance) ** min(n, k)))


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 1), (5, 1), (4, 2), (5, 2), (6, 3)])
@pytest.mark.parametrize("chance", [Fraction(1, 5), Fraction(1, 2)])
def test_the_variance_of_the_draw_is_estimated_without_bias(n: int, k: int, chance: Fraction) -> None:
    def weight(c: int) -> float:
        return float(math.comb(n, c) * chance**c * (1 - chance) ** (n - c))

    mean = sum(weight(c) * pass_at_k(n, c, k) for c in range(n + 1))
    true = sum(weight(c) * (pass_at_k(n, c, k) - mean) ** 2 for c in range(n + 1))
    estimated = sum(weight(c) * (sampling_variance(n, c, k) or 0.0) for c in range(n + 1))
    assert estimated == pytest.approx(true, abs=1e-12)


def test_the_variance_of_too_few_draws_is_not_known() -> None:
    assert sampling_variance(1, 1, 1) is None
    assert sampling_variance(3, 1, 2) is None
    assert sampling_variance(8, 0, 2) == sampling_variance(8, 8, 2) == 0.0
    assert sampling_variance(4, 1, 1) == pytest.approx(1 * 3 / (16 * 3))


@given(LARGE_POOLS)
def test_auc_is_the_share_of_pairs_in_order(pool: Pool) -> None:
    pairs = [
        1.0 if _key(right) > _key(wrong) else 0.5 if _key(right) == _key(wrong) else 0.0
        for right, passed in pool
        if passed
        for wrong, also in pool
        if not also
    ]
    got = auc(_scores(pool), _passed(pool))
    assert got == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


@given(LARGE_POOLS)
def test_the_curve_of_the_labels_never_falls(pool: Pool) -> None:
    labels = [float(each) for each in _passed(pool)]
    curve = best_of_n_curve(labels, _passed(pool), range(1, len(pool) + 1))
    assert all(before <= after + 1e-12 for before, after in itertools.pairwise(curve))


@settings(max_examples=150)
@given(POOLS, st.data())
def test_ties_count_as_the_average_over_their_orders(pool: Pool, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(pool)))
    got = ranked_pass_at_k(_scores(pool), _passed(pool), k)
    assert got == pytest.approx(float(_top_k_by_brute_force(pool, k)), abs=1e-12)


@settings(max_examples=150)
@given(POOLS, st.data())
def test_the_curve_is_the_average_over_all_subsets(pool: Pool, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(pool)))
    subsets = list(itertools.combinations(pool, n))
    exact = sum(best_of_n(_scores(list(s)), _passed(list(s))) for s in subsets) / len(subsets)
    assert best_of_n_curve(_scores(pool), _passed(pool), [n]) == [pytest.approx(exact, abs=1e-12)]


@given(LARGE_POOLS, st.data())
def test_a_constant_score_is_a_random_choice(pool: Pool, data: st.DataObject) -> None:
    passed, k = _passed(pool), data.draw(st.integers(1, len(pool)))
    for constant in (None, 3.0):
        flat = [constant] * len(pool)
        assert ranked_pass_at_k(flat, passed, k) == pytest.approx(pass_at_k(len(pool), sum(passed), k))
        assert best_of_n_curve(flat, passed, [k]) == [pytest.approx(pass_at_k(len(pool), sum(passed), 1))]


@given(LARGE_POOLS, st.data())
def test_the_labels_as_scores_are_the_oracle(pool: Pool, data: st.DataObject) -> None:
    passed, k = _passed(pool), data.draw(st.integers(1, len(pool)))
    labels = [float(each) for each in passed]
    assert best_of_n(labels, passed) == pass_at_k(len(pool), sum(passed), len(pool))
    assert best_of_n_curve(labels, passed, [k]) == [pytest.approx(pass_at_k(len(pool), sum(passed), k))]


@given(LARGE_POOLS, st.randoms(), st.data())
def test_neither_order_nor_a_shift_of_scores_matters(pool: Pool, rng: object, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(pool)))
    before = ranked_pass_at_k(_scores(pool), _passed(pool), k)
    shifted = [(None if score is None else score * 2 + 7, passed) for score, passed in pool]
    rng.shuffle(shifted)  # type: ignore[attr-defined]
    assert ranked_pass_at_k(_scores(shifted), _passed(shifted), k) == before
    assert best_of_n_curve(_scores(shifted), _passed(shifted), [k]) == best_of_n_curve(
        _scores(pool), _passed(pool), [k]
    )


@given(LARGE_POOLS)
def test_the_ends_of_the_curve_are_pass_at_1_and_best_of_all(pool: Pool) -> None:
    scores, passed = _scores(pool), _passed(pool)
    first, last = best_of_n_curve(scores, passed, [1, len(pool)])
    assert first == pytest.approx(pass_at_k(len(pool), sum(passed), 1))
    assert last == pytest.approx(best_of_n(scores, passed))


@given(LARGE_POOLS)
def test_every_choice_of_all_is_the_oracle(pool: Pool) -> None:
    assert ranked_pass_at_k(_scores(pool), _passed(pool), len(pool)) == float(any(_passed(pool)))


def test_those_that_abstain_come_last_and_tie_among_themselves() -> None:
    assert best_of_n([None, -1e300, None], [True, False, True]) == 0.0
    assert ranked_pass_at_k([None, -1e300, None], [True, False, False], 2) == 0.5
    assert tied_scores([None, 1.0, None, 1.0], [True, False, False, True]) == [(2, 1), (2, 1)]


def test_negative_zero_ties_with_zero_and_infinities_rank() -> None:
    assert tied_scores([0.0, -0.0], [True, False]) == [(2, 1)]
    assert best_of_n([math.inf, 1.0, -math.inf], [True, False, False]) == 1.0


@pytest.mark.parametrize(
    ("scores", "passed", "complaint"),
    [
        ([], [], "no candidates"),
        ([1.0], [True, False], "1 scores for 2 verdicts"),
        ([math.nan, 1.0], [True, False], "NaN, which has no rank"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    scores: list[float | None], passed: list[bool], complaint: str
) -> None:
    with pytest.raises(MetricError, match=complaint):
        best_of_n(scores, passed)
    with pytest.raises(MetricError, match=complaint):
        best_of_n_curve(scores, passed, [1])


def test_a_curve_beyond_the_pool_is_refused() -> None:
    with pytest.raises(MetricError, match="there are 2"):
        best_of_n_curve([1.0, 2.0], [True, False], [1, 3])
    with pytest.raises(MetricError, match="k = 0"):
        ranked_pass_at_k([1.0], [True], 0)


def test_the_gap_closed_runs_from_random_to_oracle() -> None:
    assert gap_closed(0.3, 0.3, 0.7) == 0.0
    assert gap_closed(0.7, 0.3, 0.7) == 1.0
    assert gap_closed(0.2, 0.3, 0.7) == pytest.approx(-0.25)
    assert gap_closed(0.5, 0.5, 0.5) is None
    assert gap_closed(0.1 + 0.2, 0.1 + 0.2, 0.3 + 1e-16) is None


def test_large_pools_stay_finite() -> None:
    scores = [float(index % 7) for index in range(5000)]
    passed = [index % 11 == 0 for index in range(5000)]
    for value in best_of_n_curve(scores, passed, [1, 100, 4999, 5000]):
        assert 0.0 <= value <= 1.0
