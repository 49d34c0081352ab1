"""Rerankers by generated asserts: hand-computed cases, and brute force from the definitions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.dual_agreement import (
    b4,
    b4_scores,
    codet,
    codet_scores,
    pass_counts,
    tests_passed,
)
from codesample.rerankers.made_once import Assert, GeneratedTests, Outputs, Passes

Held = tuple[bool, ...] | None
ROWS = st.integers(0, 4).flatmap(
    lambda width: st.lists(st.none() | st.tuples(*[st.booleans()] * width), min_size=1, max_size=7)
)
POOLS = ROWS.flatmap(
    lambda rows: st.tuples(
        st.just(rows),
        st.lists(
            st.integers(1, 4),
            min_size=(width := max((len(row) for row in rows if row is not None), default=0)),
            max_size=width,
        ),
    )
)


def test_codet_by_hand() -> None:
    # two pass both asserts, written five times in all; one passes that written four times
    rows: list[Held] = [(True, True), (True, True), (False, True), (False, False), None]
    assert codet_scores(rows, [1, 4]) == pytest.approx([math.sqrt(2) * 5, math.sqrt(2) * 5, 4, 0, None])


def test_many_that_agree_may_outweigh_one_that_passes_more() -> None:
    rows: list[Held] = [(True, True), *[(True, False)] * 9]
    scores = codet_scores(rows, [2, 1])
    assert scores == pytest.approx([3, *[6] * 9])


def test_pass_counts_by_hand() -> None:
    rows: list[Held] = [(True, True), (False, True), (False, False), None]
    assert pass_counts(rows, [1, 4]) == [5, 4, 0, None]


def test_b4_by_hand() -> None:
    # with whole numbers B(x, y) = (x-1)! (y-1)! / (x+y-1)!
    def log_beta(one: int, other: int) -> float:
        whole = Fraction(math.factorial(one - 1) * math.factorial(other - 1), math.factorial(one + other - 1))
        return math.log(whole)

    rows: list[Held] = [(True, True, False), (True, True, False), (True, False, True)]
    # of the first: 2 members, 2 asserts; the other passes 1 of its 2 cells within, 1 of 1 outside
    first = log_beta(2 + 3, 3 - 2 + 1) + log_beta(2 + 3, 3 - 2 + 1) + log_beta(2, 2) + log_beta(2, 0 + 5)
    # of the other: 1 member, 2 asserts; the two pass 2 of 4 cells within, 2 of 2 outside
    other = log_beta(2 + 3, 3 - 2 + 1) + log_beta(1 + 3, 3 - 1 + 1) + log_beta(3, 3) + log_beta(3, 0 + 5)
    assert b4_scores(rows, alpha=3, beta=5) == pytest.approx([first, first, other])


@given(POOLS)
def test_codet_as_defined(pool: tuple[list[Held], list[int]]) -> None:
    rows, weights = pool
    scores: list[float | None] = []
    for row in rows:
        if row is None:
            scores.append(None)
            continue
        like = [other for other in rows if other == row]
        scores.append(len(like) ** 0.5 * sum(w for w, holds in zip(weights, row, strict=True) if holds))
    if not any(scores):
        scores = [None] * len(rows)
    assert codet_scores(rows, weights) == pytest.approx(scores)


@given(ROWS, st.sampled_from([(1e3, 1e4), (1.0, 1.0), (7.5, 1e6)]))
def test_b4_as_defined(rows: list[Held], parameters: tuple[float, float]) -> None:
    alpha, beta = parameters

    def log_beta(one: float, other: float) -> float:
        return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)

    there = [row for row in rows if row is not None]
    scores: list[float | None] = []
    for row in rows:
        if row is None or not any(map(any, there)):
            scores.append(None)
            continue
        others = [other for other in there if other != row]
        within = [other[at] for other in others for at in range(len(row)) if row[at]]
        outside = [other[at] for other in others for at in range(len(row)) if not row[at]]
        members, passed = len(there) - len(others), sum(row)
        scores.append(
            log_beta(passed + alpha, len(row) - passed + 1)
            + log_beta(members + alpha, len(there) - members + 1)
            + log_beta(sum(within) + 1, len(within) - sum(within) + 1)
            + log_beta(sum(outside) + 1, len(outside) - sum(outside) + beta)
        )
    assert b4_scores(rows, alpha=alpha, beta=beta) == pytest.approx(scores)


@given(POOLS, st.randoms())
def test_the_order_of_candidates_and_of_asserts_does_not_matter(
    pool: tuple[list[Held], list[int]], rng: object
) -> None:
    rows, weights = pool
    order, columns = list(range(len(rows))), list(range(len(weights)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    rng.shuffle(columns)  # type: ignore[attr-defined]
    moved: list[Held] = []
    for at in order:
        row = rows[at]
        moved.append(None if row is None else tuple(row[column] for column in columns))
    heavy = [weights[column] for column in columns]
    for before, after in (
        (pass_counts(rows, weights), pass_counts(moved, heavy)),
        (codet_scores(rows, weights), codet_scores(moved, heavy)),
        (b4_scores(rows), b4_scores(moved)),
    ):
        assert after == [before[at] for at in order]


@pytest.mark.parametrize("rows", [[], [None, None], [(), ()], [(False, False), (False, False)]])
def test_without_a_single_pass_those_that_compare_abstain(rows: list[Held]) -> None:
    width = len(rows[0]) if rows and rows[0] else 0
    assert codet_scores(rows, [1] * width) == b4_scores(rows) == [None] * len(rows)


def test_a_program_that_passes_nothing_has_passed_none_of_them() -> None:
    assert pass_counts([(False,), (True,)], [1]) == [0, 1]
    assert pass_counts([(), ()], []) == [None, None]


@given(ROWS)
def test_what_was_counted_does_not_depend_on_the_others(rows: list[Held]) -> None:
    width = max((len(row) for row in rows if row is not None), default=0)
    together = pass_counts(rows, [1] * width)
    assert together == [pass_counts([row], [1] * width)[0] for row in rows]


@pytest.mark.parametrize("given", [{"alpha": 0.0}, {"beta": -1.0}, {"alpha": math.inf}, {"beta": math.nan}])
def test_b4_refuses_parameters_without_a_meaning(given: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match="expected a number above 0"):
        b4_scores([(True,)], **given)


class Matrix:
    """A behaviour that is given as a matrix."""

    def __init__(self, rows: Sequence[Held], asserts: Sequence[Assert]) -> None:
        self._passes = Passes(tuple(asserts), tuple(rows))

    def tests(self) -> GeneratedTests:
        return GeneratedTests(self._passes.asserts)

    def outputs(self, programs: Sequence[str]) -> Outputs:
        raise AssertionError("nobody asked for outputs")

    def passes(self, programs: Sequence[str]) -> Passes:
        return self._passes


def test_rerankers_score_by_the_matrix_of_their_context(view: PublicView) -> None:
    rows: list[Held] = [(True, True), (True, False), (True, False), None]
    asserts = [Assert("assert f(1) == 1", "f(1)", "1", written=3), Assert("assert f(2)", written=1)]
    ctx = Context(view, behaviour=Matrix(rows, asserts))
    candidates = [Candidate("t/0", index, "", program="x") for index in range(4)]
    assert tests_passed.score(view, candidates, ctx) == [4, 3, 3, None]
    assert codet.score(view, candidates, ctx) == pytest.approx([4, math.sqrt(2) * 3, math.sqrt(2) * 3, None])
    assert b4.score(view, candidates, ctx) == b4_scores(rows)
    assert tests_passed.independent
    assert not codet.independent
    assert not b4.independent
    assert all(each.needs == {"tests"} for each in (tests_passed, codet, b4))
