"""The reasons of a choice agree with the scores that made it, whatever these are."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.reasons import chosen, links, partly_abstaining, scores_as_given
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import filtered, then, weighted, within
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker, reranker

VIEW = PublicView("t", "t/0", "", "", None, ())
Scores = list[float | None]
SCORES = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0])


def giving(name: str, scores: Sequence[float | None]) -> Reranker:
    @reranker(name)
    def give(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> Scores:
        return [scores[each.index] for each in candidates]

    return give


def pool(size: int) -> list[Candidate]:
    return [Candidate("t/0", index, "") for index in range(size)]


def made_of(shape: str, a: Reranker, b: Reranker, c: Reranker) -> Reranker:
    return {
        "a": lambda: a,
        "a,b,c": lambda: then(a, b, c),
        "a | b,c": lambda: filtered(a, then(b, c)),
        "(a | b),c": lambda: then(filtered(a, b), c),
        "a + 2*b": lambda: weighted((1.0, a), (2.0, b)),
        "z(a),rank(b)": lambda: then(within("z", a), within("rank", b)),
        "a + 2*b,c": lambda: then(weighted((1.0, a), (2.0, b)), c),
    }[shape]()


SHAPES = ["a", "a,b,c", "a | b,c", "(a | b),c", "a + 2*b", "z(a),rank(b)", "a + 2*b,c"]


@pytest.mark.parametrize("shape", SHAPES)
@given(rows=st.lists(st.tuples(SCORES, SCORES, SCORES), min_size=1, max_size=6), data=st.data())
def test_the_links_lead_to_the_winner(
    shape: str, rows: list[tuple[float | None, ...]], data: st.DataObject
) -> None:
    columns = list(zip(*rows, strict=True))
    made = made_of(shape, *(giving(name, column) for name, column in zip("abc", columns, strict=True)))
    ctx, candidates = Context(VIEW), pool(len(rows))
    scores = made.score(VIEW, candidates, ctx)
    some = data.draw(st.sets(st.sampled_from(range(len(rows))), min_size=1))
    choice = chosen(made, ctx.given, {index: scores[index] for index in some})

    # by brute force
    best = max((scores[index] for index in some if scores[index] is not None), default=None)
    equal = sorted(index for index in some if scores[index] == best)
    assert (choice.index, *choice.tied) == tuple(equal)
    # the last link that left fewer is who decided, and in the end those that tie are left
    left = set(some)
    decided = None
    for name in links(made):
        given_now = ctx.given.get(name, {})
        top = max((given_now[i] for i in left if given_now.get(i) is not None), default=None)
        kept = {i for i in left if given_now.get(i) == top}
        decided, left = (name if kept < left else decided), kept
    if left != set(equal):
        # what a filter leaves out it does not tell apart, and all that are asked about are left out
        assert "|" in shape
        assert len(some) < len(rows)
        decided = made.name
    assert choice.decided_by == decided
    assert choice.why


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("a", ["a"]),
        ("a,b,c", ["a", "b", "c"]),
        ("a | b,c", ["a", "b", "c"]),
        ("(a | b),c", ["a", "b", "c"]),
        ("a + 2*b", ["a + 2*b"]),
        ("z(a),rank(b)", ["z(a)", "rank(b)"]),
        ("a + 2*b,c", ["a + 2*b", "c"]),
    ],
)
def test_those_that_order_pass_the_decision_on_and_those_that_reckon_decide(
    shape: str, expected: list[str]
) -> None:
    assert list(links(made_of(shape, *(giving(name, [0.0]) for name in "abc")))) == expected


def test_scores_are_shown_as_given_and_ranks_are_not() -> None:
    made = made_of(
        "(a | b),c", giving("a", [1.0, 1.0, 0.0]), giving("b", [5.0, 7.0, 9.0]), giving("c", [0.5] * 3)
    )
    ctx = Context(VIEW)
    made.score(VIEW, pool(3), ctx)
    assert scores_as_given(made, ctx.given, range(3)) == {
        "a": (1.0, 1.0, 0.0),
        # it was asked about what the filter left
        "b": (5.0, 7.0, None),
        "c": (0.5, 0.5, 0.5),
    }
    summed = made_of("a + 2*b", giving("a", [1.0, None]), giving("b", [3.0, 4.0]), giving("c", [0.0]))
    ctx = Context(VIEW)
    summed.score(VIEW, pool(2), ctx)
    assert scores_as_given(summed, ctx.given, range(2)) == {
        "a": (1.0, None),
        "b": (3.0, 4.0),
        "a + 2*b": (7.0, 9.0),
    }


def test_who_abstains_on_some_is_told_of() -> None:
    made = then(giving("a", [1.0, None, None]), giving("b", [None] * 3), giving("c", [0.0] * 3))
    ctx = Context(VIEW)
    made.score(VIEW, pool(3), ctx)
    assert partly_abstaining(made, ctx.given) == ["a abstained on 2 of 3, which rank last under it"]


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_different_scores_are_shown_differently(first: float, second: float) -> None:
    low, high = sorted((first, second))
    why = chosen(giving("a", [low, high]), {"a": {0: low, 1: high}}, {0: low, 1: high}).why
    if low == high:
        assert why.startswith("a ")
        return
    shown, behind = re.fullmatch(r"a (\S+) is the highest of 2, next (\S+)", why).groups()
    assert shown != behind
    assert float(shown) >= float(behind)


def test_few_digits_are_shown_where_they_are_enough() -> None:
    given_scores = {"a": {0: -0.1, 1: -0.2, 2: None}}
    assert (
        chosen(giving("a", []), given_scores, given_scores["a"]).why
        == "a -0.1 is the highest of 3, next -0.2"
    )
    close = {"a": {0: -0.29160001, 1: -0.29160002}}
    assert chosen(giving("a", []), close, close["a"]).why.endswith(
        "-0.29160001 is the highest of 2, next -0.29160002"
    )
