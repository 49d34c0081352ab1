from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ParameterError, RerankerError
from codesample.evaluation.metrics import tied_scores
from codesample.records import Candidate, PublicView
from codesample.rerankers.compose import filtered, then, weighted, within
from codesample.rerankers.context import Context
from codesample.rerankers.contract import Reranker

VIEW = PublicView("t", "t/0", "p", "p", None, ())
SCORES = st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0])


def _fixed(name: str, scores: Sequence[float | None], **options: object) -> Reranker:
    return Reranker(name, lambda view, candidates, ctx: scores, **options)  # type: ignore[arg-type]


def _score(first: Sequence[float | None], second: Sequence[float | None]) -> list[float | None]:
    candidates = [Candidate("t/0", index, "") for index in range(len(first))]
    return then(_fixed("a", first), _fixed("b", second)).score(VIEW, candidates, Context(VIEW))


def test_the_second_decides_only_between_ties_of_the_first() -> None:
    assert _score([2, 1, 2, 1], [0, 9, 5, 9]) == [1.0, 0.0, 2.0, 0.0]


def test_where_the_first_abstains_for_all_the_second_decides_alone() -> None:
    assert _score([None, None, None], [-3.0, -1.0, -1.0]) == [0.0, 1.0, 1.0]


def test_one_that_abstains_ranks_below_those_that_do_not() -> None:
    assert _score([None, -5.0, -5.0], [9.0, None, -1.0]) == [0.0, 1.0, 2.0]


def test_abstaining_everywhere_is_abstaining() -> None:
    assert _score([None, 1.0, 2.0], [None, None, None]) == [None, 0.0, 1.0]


@given(st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=8))
def test_the_order_is_that_of_the_pairs_with_ties_kept(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    def key(pair: tuple[float | None, float | None]) -> tuple[tuple[bool, float], ...]:
        return tuple((score is not None, score or 0.0) for score in pair)

    scores = _score([a for a, _ in pairs], [b for _, b in pairs])
    for one, first in zip(pairs, scores, strict=True):
        for other, second in zip(pairs, scores, strict=True):
            mine, theirs = (-1.0 if score is None else score for score in (first, second))
            assert (key(one) < key(other)) == (mine < theirs)
    assert len(tied_scores(scores, [True] * len(scores))) == len({key(pair) for pair in pairs})


def test_needs_are_joined_and_independence_is_that_of_all() -> None:
    one = _fixed("a", [], needs={"logprobs"}, independent=True)
    two = _fixed("b", [], needs={"run"})
    both = then(one, two)
    assert (both.name, both.needs, both.independent) == ("a,b", {"logprobs", "run"}, False)
    assert then(one, _fixed("c", [], independent=True)).independent


def test_the_part_that_breaks_the_contract_is_named() -> None:
    with pytest.raises(RerankerError, match="reranker 'b', problem 't/0': returned 1 scores for 2"):
        _score([1.0, 2.0], [1.0])


def test_fewer_than_two_or_the_same_twice_is_refused() -> None:
    one = _fixed("a", [])
    for given_ in ((), (one,), (one, one)):
        with pytest.raises(ParameterError, match="expected two or more different rerankers"):
            then(*given_)


CANDIDATES = [Candidate("t/0", index, "") for index in range(8)]
COLUMNS = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=8)


def _scored(reranker: Reranker, count: int) -> list[float | None]:
    return reranker.score(VIEW, CANDIDATES[:count], Context(VIEW))


def _looking_up(name: str, scores: Sequence[float | None], **options: object) -> Reranker:
    return Reranker(
        name, lambda view, candidates, ctx: [scores[each.index] for each in candidates], **options
    )  # type: ignore[arg-type]


def test_z_scores_and_ranks_by_hand() -> None:
    each = _fixed("a", [1.0, None, 3.0, 3.0, 5.0])
    root = math.sqrt(2)
    assert _scored(within("z", each), 5) == pytest.approx([-root, None, 0.0, 0.0, root])
    assert _scored(within("rank", each), 5) == [0.0, None, 0.5, 0.5, 1.0]
    for kind, expected in (("z", 0.0), ("rank", 0.5)):
        assert _scored(within(kind, _fixed("a", [7.0, None])), 2) == [expected, None]  # type: ignore[arg-type]
        assert _scored(within(kind, _fixed("a", [0.1] * 3)), 3) == [expected] * 3  # type: ignore[arg-type]
        assert _scored(within(kind, _fixed("a", [None] * 3)), 3) == [None] * 3  # type: ignore[arg-type]
    assert (within("z", each).name, within("rank", each).name) == ("z(a)", "rank(a)")
    with pytest.raises(ParameterError, match="expected z or rank"):
        within("borda", each)  # type: ignore[arg-type]


@given(st.lists(st.none() | st.floats(-1e300, 1e300), min_size=1, max_size=8))
def test_scales_keep_the_order_and_have_their_mean_and_spread(scores: list[float | None]) -> None:
    given_ = [score for score in scores if score is not None]
    z, rank = (_scored(within(kind, _fixed("a", scores)), len(scores)) for kind in ("z", "rank"))  # type: ignore[arg-type]
    for column in (z, rank):
        assert [value is None for value in column] == [score is None for score in scores]
        pairs = sorted(
            (score, value) for score, value in zip(scores, column, strict=True) if score is not None
        )
        assert [value for _, value in pairs] == sorted(value for _, value in pairs)  # type: ignore[type-var]
    for score, value in zip(scores, rank, strict=True):
        if score is not None and len(given_) > 1:
            lower, equal = sum(other < score for other in given_), sum(other == score for other in given_)
            assert value == pytest.approx((lower + (equal - 1) / 2) / (len(given_) - 1))
    values = [value for value in z if value is not None]
    if len(set(values)) > 1:
        assert statistics.fmean(values) == pytest.approx(0.0, abs=1e-6)
        assert statistics.pstdev(values) == pytest.approx(1.0, abs=1e-6)


def test_a_weighted_sum_by_hand_with_those_that_abstain() -> None:
    a, b = _fixed("a", [1.0, 2.0, None, None]), _fixed("b", [10.0, None, 30.0, None])
    made = weighted((2.0, a), (-0.5, b))
    # who abstains under a term gets the worst of it: 2 under a, and -15 under b turned round
    assert _scored(made, 4) == [2 - 5, 4 - 15, 2 - 15, None]
    assert (made.name, made.independent) == ("2*a - 0.5*b", False)
    assert _scored(weighted((1.0, a), (1.0, _fixed("c", [None] * 4))), 4) == [1.0, 2.0, None, None]
    assert weighted((-1.0, _fixed("a", [], independent=True))).independent
    for wrong in ((), ((math.inf, a),), ((math.nan, a),), ((1.0, b), (0.0, a))):
        with pytest.raises(ParameterError, match="at least one pair of a finite weight other than 0 and"):
            weighted(*wrong)


def test_a_sum_that_is_no_number_is_refused() -> None:
    with pytest.raises(RerankerError, match=r"reranker '1e\+300\*a', problem 't/0': score 0 is inf"):
        _scored(weighted((1e300, _fixed("a", [1e300]))), 1)


@given(COLUMNS, st.floats(-2, 2).filter(bool), st.floats(-2, 2).filter(bool))
def test_a_weighted_sum_is_that_of_brute_force(
    pairs: list[tuple[float | None, float | None]], first: float, second: float
) -> None:
    columns = [[a for a, _ in pairs], [b for _, b in pairs]]
    got = _scored(weighted((first, _fixed("a", columns[0])), (second, _fixed("b", columns[1]))), len(pairs))
    for at, pair in enumerate(pairs):
        if pair == (None, None):
            assert got[at] is None
            continue
        total = 0.0
        for weight, value, column in zip((first, second), pair, columns, strict=True):
            terms = [weight * other for other in column if other is not None]
            total += weight * value if value is not None else min(terms, default=0.0)
        assert got[at] == pytest.approx(total, abs=1e-9)


def test_a_filter_by_hand() -> None:
    by, chosen = _looking_up("by", [1.0, 3.0, None, 3.0, 3.0]), _looking_up("a", [9.0, 5.0, 9.0, 7.0, None])
    made = filtered(by, chosen)
    # of the kept, who abstains is still above those that were left out
    assert _scored(made, 5) == [None, 1.0, None, 2.0, 0.0]
    assert (made.name, made.independent, made.parts) == ("by | a", False, (by, chosen))
    for nobody in ([0.0] * 5, [None] * 5):
        assert _scored(filtered(_fixed("by", nobody), chosen), 5) == [2.0, 0.0, 2.0, 1.0, None]
    assert _scored(filtered(_fixed("by", [None, 1.0]), _fixed("a", [None])), 2) == [None, 0.0]
    with pytest.raises(ParameterError, match=r"by \| by: expected two different rerankers"):
        filtered(by, by)


@given(COLUMNS)
def test_the_first_of_a_filter_are_the_first_of_the_chain(
    pairs: list[tuple[float | None, float | None]],
) -> None:
    by, chosen = _looking_up("by", [a for a, _ in pairs]), _looking_up("a", [b for _, b in pairs])

    def first(scores: list[float | None]) -> list[int]:
        ranks = [-1.0 if score is None else score for score in scores]
        return [at for at, rank in enumerate(ranks) if rank == max(ranks)]

    filtered_, chained = (_scored(make(by, chosen), len(pairs)) for make in (filtered, then))
    assert first(filtered_) == first(chained)
    best = max((a for a, _ in pairs if a is not None), default=None)
    kept = [a == best for a, _ in pairs]
    if not all(kept):
        assert [score is not None for score in filtered_] == kept


def test_a_filter_shows_the_second_what_was_kept_and_no_more() -> None:
    seen: list[list[int]] = []

    def look(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        seen.append([each.index for each in candidates])
        return [0.0] * len(candidates)

    _scored(filtered(_fixed("by", [1.0, 0.0, 1.0]), Reranker("look", look)), 3)
    assert seen == [[0, 2]]


def test_names_say_what_is_made_with_brackets_where_they_are_needed() -> None:
    a, b, c = (
        _fixed(name, [], needs={need}) for name, need in (("a", "logprobs"), ("b", "run"), ("c", "generate"))
    )
    made = then(filtered(a, b), weighted((1.0, within("z", then(a, b))), (0.5, weighted((2.0, c)))))
    assert made.name == "(a | b),z(a,b) + 0.5*(2*c)"
    assert made.needs == {"logprobs", "run", "generate"}
    assert filtered(a, filtered(b, c)).name == "a | b | c"
    assert then(then(a, b), c).name == "a,b,c"
    assert then(_fixed("7-zip", []), a).name == '"7-zip",a'


def test_parts_abilities_and_costs_stay_those_of_each_part() -> None:
    def peek(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [each.logprobs[0] if each.logprobs else None for each in candidates]

    free, bound = _fixed("free", [1.0], needs={"logprobs"}), Reranker("peek", peek)
    with pytest.raises(
        RerankerError, match=r"reranker 'peek', .*: read 'logprobs', an ability it does not declare"
    ):
        _scored(then(free, bound), 1)
