"""Figures by hidden checks alone equal those counted by hand, and what prompts show is said."""

from __future__ import annotations

import json
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.evaluation.leaks import HiddenOnly, hidden_only
from codesample.evaluation.metrics import best_of_n
from codesample.evaluation.scoring import Pool
from codesample.records import CallExample, Candidate, CodeTests, Problem, Status, Verdict

CHECKS = tuple(f"assert f({x}) == {x + 1}" for x in range(3))
SOURCE = "def check(candidate):\n    assert candidate(0) == 1\n    assert candidate(9) == 10\ncheck(f)\n"


def problem(name: str, public: int, tests: CodeTests | None = None) -> Problem:
    return Problem(
        task_id=name,
        prompt="def f(x):\n",
        tests=tests or CodeTests(checks=CHECKS),
        entry_point="f",
        examples=tuple(CallExample(f"f({x})", f"{x + 1}") for x in range(public)),
    )


def pool(of: Problem, *rows: tuple[bool, ...], strict: bool = False, integrity: str = "split") -> Pool:
    verdicts = tuple(
        Verdict(
            of.task_id,
            index,
            Status.PASSED if all(row) else Status.WRONG,
            checks=row if of.tests.check_count else (),
            integrity=integrity,
        )
        for index, row in enumerate(rows)
    )
    candidates = tuple(Candidate(of.task_id, index, "") for index in range(len(rows)))
    return Pool(of, candidates, verdicts, strict)


ROWS = list(product((False, True), repeat=3))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.lists(
                st.tuples(st.sampled_from(ROWS), st.one_of(st.none(), st.integers(0, 2))),
                min_size=1,
                max_size=5,
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_figures_are_those_counted_by_hand(
    pools: list[tuple[int, list[tuple[tuple[bool, ...], int | None]]]],
) -> None:
    gathered = [
        pool(problem(f"t/{at}", public), *(row for row, _ in candidates))
        for at, (public, candidates) in enumerate(pools)
    ]
    scores = {"own": {f"t/{at}": [score for _, score in rows] for at, (_, rows) in enumerate(pools)}}
    found = hidden_only(gathered, scores)
    if not any(public for public, _ in pools):
        assert found is None
        return
    assert found is not None
    kept = [
        ([all(row[public:]) for row, _ in rows], [score for _, score in rows])
        for public, rows in pools
        if public < 3
    ]
    assert (found.problems, found.left_out, found.unclear) == (len(kept), len(pools) - len(kept), 0)
    if not kept:
        assert (found.random, found.oracle, dict(found.rerankers)) == (None, None, {})
        return
    assert found.random is not None
    assert found.oracle is not None
    assert found.random.value == pytest.approx(fmean(fmean(held) for held, _ in kept))
    assert found.oracle.value == pytest.approx(fmean(any(held) for held, _ in kept))
    own = fmean(best_of_n(column, held) for held, column in kept)
    assert found.rerankers["own"].value == pytest.approx(own)


def test_a_choice_by_the_public_checks_is_worth_less_on_the_others() -> None:
    gathered = [pool(problem("t/0", 1), (True, False, False), (False, True, True))]
    found = hidden_only(gathered, {"public_examples": {"t/0": [1.0, 0.0]}})
    assert found is not None
    assert found.rerankers["public_examples"].value == 0.0
    assert found.oracle is not None
    assert found.oracle.value == 1.0
    assert found.gap_closed("public_examples") == pytest.approx(-1.0)


def test_tests_in_one_piece_count_as_they_are() -> None:
    whole = problem("t/0", 1, CodeTests(source=SOURCE))
    assert hidden_only([pool(whole, (True,), (False,))], {}) is None
    apart = pool(problem("t/1", 1), (False, True, True))
    found = hidden_only([pool(whole, (True,), (False,)), apart], {})
    assert found is not None
    assert found.random is not None
    assert found.problems == 2
    assert found.random.value == pytest.approx((0.5 + 1.0) / 2)


def test_what_the_text_before_the_checks_hides_counts() -> None:
    told = problem("t/0", 3, CodeTests(source="assert f(9) == 10", checks=CHECKS))
    found = hidden_only([pool(told, (False, False, False), (False, True, False), (True, True, True))], {})
    assert found is not None
    assert found.random is not None
    assert found.random.value == pytest.approx(2 / 3)


def test_verdicts_that_do_not_say_which_checks_held_leave_their_problem_out() -> None:
    silent = pool(problem("t/0", 1), (False, True, True))
    verdicts = (Verdict("t/0", 0, Status.ERROR),)
    found = hidden_only(
        [Pool(silent.problem, silent.candidates, verdicts), pool(problem("t/1", 1), CHECKED)], {}
    )
    assert found is not None
    assert (found.problems, found.unclear, found.left_out) == (1, 1, 0)


CHECKED = (True, True, True)


def test_what_could_have_been_faked_has_no_grade_where_that_is_asked_for() -> None:
    rows = ((False, True, True), (False, False, True))
    weak = hidden_only([pool(problem("t/0", 1), *rows, strict=True, integrity="weak")], {})
    any_ = hidden_only([pool(problem("t/0", 1), *rows, integrity="weak")], {})
    assert weak is not None
    assert any_ is not None
    assert (weak.random and weak.random.value, any_.random and any_.random.value) == (0.0, 0.5)


@pytest.mark.parametrize("public", [1, 3])
def test_it_is_the_same_behind_json(public: int) -> None:
    gathered = [pool(problem("t/0", public), CHECKED, (False, True, True), (True, False, True))]
    found = hidden_only(gathered, {"a": {"t/0": [1.0, None, 0.0]}})
    assert found is not None
    assert HiddenOnly.from_json(json.loads(json.dumps(found.as_json()))) == found
    assert HiddenOnly.from_json(None) is None
