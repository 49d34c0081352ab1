"""First choices are those that best-of-n counts, and places are those that scores give."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.metrics import best_of_n
from codesample.evaluation.picks import Pick, pick_of, places
from codesample.evaluation.scoring import Pool
from codesample.records import Candidate, CodeTests, Problem, Status, Verdict

SCORES = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5]), st.floats(-10, 10))
STATUSES = st.sampled_from([Status.PASSED, Status.WRONG, Status.HARNESS_ERROR])


def pool(statuses: list[Status]) -> Pool:
    problem = Problem("t/0", "def f():\n", CodeTests(source="assert f()"))
    # indices of recorded samples need not be places
    candidates = tuple(Candidate("t/0", 10 * at, "") for at, _ in enumerate(statuses))
    verdicts = tuple(Verdict("t/0", 10 * at, status) for at, status in enumerate(statuses))
    return Pool(problem, candidates, verdicts)


@given(st.lists(st.tuples(SCORES, STATUSES), min_size=1, max_size=5))
def test_a_pick_is_what_a_stable_sort_of_every_order_gives(rows: list[tuple[float | None, Status]]) -> None:
    scores, made = [score for score, _ in rows], pool([status for _, status in rows])
    picked = pick_of(made, scores)
    if not made.graded:
        assert picked is None
        return
    assert picked is not None
    key = lambda at: float("-inf") if scores[at] is None else scores[at]
    firsts = [max(order, key=key) for order in permutations(made.graded)]
    assert picked.share == pytest.approx(sum(made.verdicts[at].passed for at in firsts) / len(firsts))
    assert picked.share == pytest.approx(best_of_n([scores[at] for at in made.graded], made.passed))
    assert picked.indices == tuple(10 * at for at in sorted(set(firsts)))
    assert picked.shown in firsts
    assert picked.score == scores[picked.shown]
    # of a tie that may fail, one that fails is shown
    assert made.verdicts[picked.shown].passed == (picked.share == 1)
    right = [at for at in made.graded if made.verdicts[at].passed]
    assert (picked.passing is None) == (picked.rank is None) == (not right)
    if picked.passing is not None:
        assert picked.passing in right
        assert key(picked.passing) == max(map(key, right))
        assert picked.passing_score == scores[picked.passing]
        assert picked.rank == 1 + sum(key(at) > key(picked.passing) for at in made.graded)


def test_a_tie_is_all_of_it_and_what_could_not_be_judged_is_no_choice() -> None:
    made = pool([Status.WRONG, Status.HARNESS_ERROR, Status.PASSED, Status.PASSED])
    tie = Pick((0, 20), 1, shown=0, score=1.0, passing=2, passing_score=1.0, rank=1)
    assert pick_of(made, [1.0, 9.0, 1.0, 0.0]) == tie
    silent = Pick((0, 20, 30), 2, shown=0, score=None, passing=2, passing_score=None, rank=1)
    assert pick_of(made, [None, None, None, None]) == silent


@given(st.lists(SCORES, max_size=9))
def test_places_are_those_of_counting(scores: list[float | None]) -> None:
    def above(one: float | None, other: float | None) -> bool:
        return one is not None and (other is None or one > other)

    expected = [
        (
            1 + sum(above(each, score) for each in scores),
            len(scores) - sum(above(score, each) for each in scores),
        )
        for score in scores
    ]
    assert places(scores) == expected
