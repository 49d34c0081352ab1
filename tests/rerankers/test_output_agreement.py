"""Rerankers by what programs return: hand-computed cases, and brute force from the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.made_once import Assert, GeneratedTests, Outputs, Passes
from codesample.rerankers.output_agreement import (
    Row,
    agreement_scores,
    cluster_scores,
    largest_cluster,
    mbr_exec,
    srank,
    srank_scores,
)

TEXTS = st.sampled_from([None, "1", "2"])
WIDTH = 3


def rows_of(width: int) -> st.SearchStrategy[list[Row]]:
    row = st.none() | st.tuples(*[TEXTS] * width)
    return st.lists(row, min_size=1, max_size=7)


HELD = st.none() | st.tuples(st.booleans(), st.booleans())
POOLS = st.integers(0, 3).flatmap(
    lambda width: rows_of(width).flatmap(
        lambda rows: st.tuples(st.just(rows), st.lists(HELD, min_size=len(rows), max_size=len(rows)))
    )
)
WEIGHTS = st.tuples(st.integers(1, 3), st.integers(1, 3))


def ran(row: Row) -> bool:
    return row is not None and set(row) != {None} and row != ()


def test_the_largest_cluster_by_hand() -> None:
    rows: list[Row] = [("1", "2"), ("1", "2"), ("1", None), (None, None), None, ("1", None), ("1", None)]
    assert cluster_scores(rows) == [2, 2, 3, None, None, 3, 3]


def test_agreement_by_hand() -> None:
    rows: list[Row] = [("1", "2"), ("1", "3"), ("4", None), (None, None), None]
    # the first: both of its own results, and one that the second returns as well, of two inputs
    assert agreement_scores(rows) == [1.5, 1.5, 0.5, None, None]


def test_srank_by_hand() -> None:
    rows: list[Row] = [("1", "2"), ("1", "2"), ("1", "3"), ("9", "9")]
    passes = [(True, True), (True, True), (True, False), (False, False)]
    # V: two of four pass everything; one of four passes an assert written once of three; the last none
    large, small = 2 / 4 * 1.0, 1 / 4 * 1 / 3
    scores = srank_scores(rows, passes, [1, 2])
    assert scores == pytest.approx([large + small / 2, large + small / 2, small + large / 2, 0.0])


def test_srank_without_asserts_goes_by_size_and_overlap() -> None:
    rows: list[Row] = [("1", "2"), ("1", "2"), ("1", "3")]
    assert srank_scores(rows, [()] * 3, []) == pytest.approx([2 / 3 + 1 / 6, 2 / 3 + 1 / 6, 1 / 3 + 1 / 3])


@given(POOLS)
def test_clusters_as_defined(pool: tuple[list[Row], object]) -> None:
    rows, _ = pool
    expected = [float(sum(other == row for other in rows)) if ran(row) else None for row in rows]
    assert cluster_scores(rows) == expected


@given(POOLS)
def test_agreement_as_defined(pool: tuple[list[Row], object]) -> None:
    rows, _ = pool
    expected: list[float | None] = []
    for row in rows:
        if row is None or not ran(row):
            expected.append(None)
            continue
        shares = [
            sum(a is not None and a == b for a, b in zip(row, other, strict=True)) / len(row)
            for other in rows
            if other is not None
        ]
        expected.append(sum(shares))
    assert agreement_scores(rows) == pytest.approx(expected)


@given(POOLS, WEIGHTS)
def test_srank_as_defined(
    pool: tuple[list[Row], list[tuple[bool, bool] | None]], weights: tuple[int, int]
) -> None:
    rows, passes = pool
    clusters = {row for row in rows if ran(row)}
    there = [row for row in rows if row is not None]

    def rate(held: tuple[bool, bool] | None) -> float:
        return sum(w for w, h in zip(weights, held or (False, False), strict=True) if h) / sum(weights)

    def value(cluster: Row) -> float:
        inside = [at for at, row in enumerate(rows) if row == cluster]
        return len(inside) / len(there) * sum(rate(passes[at]) for at in inside) / len(inside)

    def overlap(one: Row, other: Row) -> float:
        assert one is not None
        assert other is not None
        same = [a is not None and a == b for a, b in zip(one, other, strict=True)]
        return 1.0 if one == other else sum(same) / len(same)

    signal = any(value(each) > 0 for each in clusters)
    expected = [
        sum(overlap(row, each) * value(each) for each in clusters) if ran(row) and signal else None
        for row in rows
    ]
    assert srank_scores(rows, passes, weights) == pytest.approx(expected)


@given(POOLS, WEIGHTS, st.randoms())
def test_the_order_of_candidates_does_not_matter(
    pool: tuple[list[Row], list[tuple[bool, bool] | None]], weights: tuple[int, int], rng: object
) -> None:
    rows, passes = pool
    order = list(range(len(rows)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    moved = [rows[at] for at in order]
    for function in (cluster_scores, agreement_scores):
        assert function(moved) == [function(rows)[at] for at in order]
    ranked = srank_scores(rows, passes, weights)
    # to the last bit: a rounding would break ties
    assert srank_scores(moved, [passes[at] for at in order], weights) == [ranked[at] for at in order]


@given(POOLS)
def test_candidates_that_behave_alike_score_alike(pool: tuple[list[Row], object]) -> None:
    rows, _ = pool
    for scores in (cluster_scores(rows), agreement_scores(rows)):
        by_row: dict[Row, set[float | None]] = {}
        for row, score in zip(rows, scores, strict=True):
            by_row.setdefault(row, set()).add(score)
        assert all(len(each) == 1 for each in by_row.values())


@pytest.mark.parametrize("rows", [[None, None], [(), ()], [(None,), (None,)], []])
def test_without_any_result_all_abstain(rows: list[Row]) -> None:
    nothing = [None] * len(rows)
    assert cluster_scores(rows) == agreement_scores(rows) == nothing
    assert srank_scores(rows, [(True,)] * len(rows), [1]) == nothing


def test_copies_are_votes() -> None:
    one: list[Row] = [("1",), ("2",)]
    copied: list[Row] = [*one, ("2",)]
    for function in (cluster_scores, agreement_scores):
        assert function(one) == [1, 1]
        assert function(copied) == [1, 2, 2]


class Matrices:
    """A behaviour that is given as matrices."""

    def __init__(self, rows: Sequence[Row], held: Sequence[tuple[bool, ...] | None]) -> None:
        self._rows, self._held = tuple(rows), tuple(held)
        self._asserts = (Assert("assert f(1) == 1", "f(1)", "1", written=2),)

    def tests(self) -> GeneratedTests:
        return GeneratedTests(self._asserts)

    def outputs(self, programs: Sequence[str]) -> Outputs:
        return Outputs(("f(1)", "f(2)"), self._rows)

    def passes(self, programs: Sequence[str]) -> Passes:
        return Passes(self._asserts, self._held)


def test_rerankers_score_by_the_matrices_of_their_context(view: PublicView) -> None:
    rows: list[Row] = [("1", "2"), ("1", "2"), ("1", "3"), None]
    ctx = Context(view, behaviour=Matrices(rows, [(True,), (True,), (False,), None]))
    candidates = [Candidate("t/0", index, "", program="x") for index in range(4)]
    assert largest_cluster.score(view, candidates, ctx) == [2, 2, 1, None]
    assert mbr_exec.score(view, candidates, ctx) == [2.5, 2.5, 2, None]
    assert srank.score(view, candidates, ctx) == pytest.approx([2 / 3, 2 / 3, 1 / 3, None])
    assert not any(each.independent for each in (largest_cluster, mbr_exec, srank))
    assert [sorted(each.needs) for each in (largest_cluster, mbr_exec, srank)] == [
        ["outputs"],
        ["outputs"],
        ["outputs", "tests"],
    ]


def test_the_larger_cluster_of_two_scores_higher() -> None:
    rows: list[Row] = [*[("1",)] * 3, *[("2",)] * 2]
    scores = [score for score in cluster_scores(rows) if score is not None]
    assert all(one >= other for one, other in pairwise(scores))
