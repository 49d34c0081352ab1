"""Rerankers by which generated asserts hold: programs and tests that many support are likely right.

Each is a pure function of one matrix, one row per candidate and one column per assert. None in place of a row
is a program that nobody could run; it abstains. Equal candidates count as many times as there are of them.
Where no candidate passes any assert, the methods that compare candidates abstain on all: there is no signal.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from codesample.errors import ParameterError
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.rerankers.parameters import Bounds

__all__ = ["b4", "b4_scores", "codet", "codet_scores", "pass_counts", "tests_passed"]

Held = tuple[bool, ...] | None
"""Which asserts hold for one candidate, or None where the harness failed."""


@reranker(needs={"tests"}, independent=True)
def tests_passed(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many of the generated asserts hold, each as often as it was written.

    All abstain where no assert was generated.

    Formula: sum_j w_j E_ij
    Source: the majority vote of tests of arXiv:2501.01054, section 3
    Needs: tests
    Cost: the tests, and one execution of each distinct program
    Leaning: towards what the model expects, wrong asserts included
    """
    found = ctx.passes(candidates)
    return pass_counts(found.rows, [each.written for each in found.asserts])


@reranker(needs={"tests"})
def codet(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
    """Score by how many candidates pass exactly the same generated asserts, and by how many these are.

    As its authors' program counts: equal candidates and equal tests as many times as they were drawn.

    Formula: sqrt(|C|) T, C the candidates with the same row, T the asserts that hold for them
    Source: arXiv:2207.10397, section 2.2
    Needs: tests
    Cost: as tests_passed
    Leaning: towards what many candidates and wrong asserts agree on
    """
    found = ctx.passes(candidates)
    return codet_scores(found.rows, [each.written for each in found.asserts])


@reranker(needs={"tests"})
def b4(
    view: PublicView,
    candidates: Sequence[Candidate],
    ctx: Context,
    *,
    alpha: Annotated[float, Bounds(least=1e-6, most=1e12)] = 1e3,
    beta: Annotated[float, Bounds(least=1e-6, most=1e12)] = 1e4,
) -> list[float | None]:
    """Score by how likely it is that exactly those with the same row, and the asserts they pass, are right.

    Of N candidates a have the row, b of M distinct asserts are in it; the others pass s1 of n1 cells of
    asserts within the row and s0 of n0 outside. Each distinct assert is one test, however often it was
    written. beta is the published beta_0, from 1e4 to 1e6 there.

    Formula: ln B(b+alpha, M-b+1) + ln B(a+alpha, N-a+1) + ln B(s1+1, n1-s1+1) + ln B(s0+1, n0-s0+beta), B
        the beta function
    Source: arXiv:2409.08692
    Needs: tests
    Cost: as tests_passed
    Leaning: alpha of 1e3 trusts large groups and many passes; with few candidates the priors decide
    """
    return b4_scores(ctx.passes(candidates).rows, alpha=alpha, beta=beta)


def pass_counts(rows: Sequence[Held], weights: Sequence[int]) -> list[float | None]:
    """Return the score of `tests_passed` for each row.

    Args:
        rows: Which asserts hold for each candidate.
        weights: How often each assert was written.
    """
    if not weights:
        return [None] * len(rows)
    return [None if row is None else float(_weight(row, weights)) for row in rows]


def codet_scores(rows: Sequence[Held], weights: Sequence[int]) -> list[float | None]:
    """Return the score of `codet` for each row; arguments as `pass_counts`."""
    sizes = Counter(row for row in rows if row is not None)
    scores = {row: math.sqrt(size) * _weight(row, weights) for row, size in sizes.items()}
    if not any(scores.values()):
        return [None] * len(rows)
    return [None if row is None else scores[row] for row in rows]


def b4_scores(rows: Sequence[Held], *, alpha: float = 1e3, beta: float = 1e4) -> list[float | None]:
    """Return the score of `b4` for each row.

    Args:
        rows: Which asserts hold for each candidate.
        alpha: How surely right candidates and right asserts are thought to be many.
        beta: How rarely wrong candidates are thought to pass wrong asserts.

    Raises:
        ParameterError: one of them is not above 0.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0 < value < math.inf:
            raise ParameterError(f"b4: {name} = {value!r}: expected a number above 0")
    sizes = Counter(row for row in rows if row is not None)
    if not any(map(any, sizes)):
        return [None] * len(rows)
    count, tests = sum(sizes.values()), len(next(iter(sizes)))
    passed = [sum(size for row, size in sizes.items() if row[at]) for at in range(tests)]
    scores = {}
    for row, size in sizes.items():
        inside, others = sum(row), count - size
        # what the members themselves pass is all of what is within, and nothing of what is outside
        right = sum(each for each, holds in zip(passed, row, strict=True) if holds) - size * inside
        wrong = sum(each for each, holds in zip(passed, row, strict=True) if not holds)
        scores[row] = math.fsum(
            (
                _log_beta(inside + alpha, tests - inside + 1),
                _log_beta(size + alpha, count - size + 1),
                _log_beta(right + 1, others * inside - right + 1),
                _log_beta(wrong + 1, others * (tests - inside) - wrong + beta),
            )
        )
    return [None if row is None else scores[row] for row in rows]


def _weight(row: tuple[bool, ...], weights: Sequence[int]) -> int:
    return sum(each for each, holds in zip(weights, row, strict=True) if holds)


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
