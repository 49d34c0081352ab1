"""Counting verdicts while they come in."""

from __future__ import annotations

from codesample.evaluation.observer import Snapshot, Tally
from codesample.records import Status, Verdict


def test_a_problem_is_done_when_its_last_verdict_is_in() -> None:
    tally = Tally({"a": 2, "b": 1})
    tally.add([Verdict("a", 0, Status.PASSED), Verdict("b", 0, Status.WRONG)])
    assert (tally.problems_done, tally.candidates_done) == (1, 2)
    tally.add([Verdict("a", 1, Status.WRONG)])
    assert (tally.problems_done, tally.candidates_done) == (2, 3)


def test_running_pass_at_1_is_a_mean_over_problems() -> None:
    tally = Tally({"a": 3, "b": 1})
    assert tally.pass_at_1() is None
    tally.add([Verdict("a", 0, Status.PASSED), Verdict("a", 1, Status.WRONG), Verdict("b", 0, Status.PASSED)])
    assert tally.pass_at_1() == (1 / 2 + 1) / 2


def test_a_harness_error_completes_without_a_grade() -> None:
    tally = Tally({"a": 2})
    tally.add([Verdict("a", 0, Status.HARNESS_ERROR), Verdict("a", 1, Status.PASSED)])
    assert (tally.problems_done, tally.pass_at_1()) == (1, 1.0)


def test_a_problem_of_which_nothing_is_wanted_counts_as_done() -> None:
    assert Tally({"a": 0, "b": 2}).problems_done == 1


def test_speed_is_zero_before_any_time_has_passed() -> None:
    assert Snapshot(0, 0, 0, 0.0, None).tokens_per_second == 0.0
    assert Snapshot(0, 0, 30, 2.0, None).tokens_per_second == 15.0


def test_strictly_a_weak_pass_is_counted_as_done_and_not_as_judged() -> None:
    weak = Verdict("x", 0, Status.PASSED, integrity="weak")
    failed = Verdict("x", 1, Status.WRONG, integrity="weak")
    for strict, share in ((False, 0.5), (True, 0.0)):
        tally = Tally({"x": 2}, strict=strict)
        tally.add([weak, failed])
        assert (tally.candidates_done, tally.problems_done, tally.pass_at_1()) == (2, 1, share)
    only = Tally({"x": 1}, strict=True)
    only.add([weak])
    assert only.pass_at_1() is None
