"""First choices are those that best-of-n counts, and places are those that scores give."""

from __future__ import annotations

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


@given(st.lists(st.tuples(SCORES, STATUSES), min_size=1, max_size=8))
def test_the_share_of_a_pick_is_its_best_of_n(rows: list[tuple[float | None, Status]]) -> None:
    scores, made = [score for score, _ in rows], pool([status for _, status in rows])
    picked = pick_of(made, scores)
    if not made.graded:
        assert picked is None
        return
    assert picked is not None
    assert picked.share == pytest.approx(best_of_n([scores[at] for at in made.graded], made.passed))


def test_a_tie_is_all_of_it_and_what_could_not_be_judged_is_no_choice() -> None:
    made = pool([Status.WRONG, Status.HARNESS_ERROR, Status.PASSED, Status.PASSED])
    assert pick_of(made, [1.0, 9.0, 1.0, 0.0]) == Pick((0, 20), 1)
    assert pick_of(made, [None, None, None, None]) == Pick((0, 20, 30), 2)


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
