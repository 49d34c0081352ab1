"""Figures from verdicts and scores, harness errors apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesample.errors import ExecutionError, RunFolderError
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.report import Counted, Report, Seconds
from codesample.evaluation.scoring import pools, saved_scores
from codesample.evaluation.summary import summarise
from codesample.records import Candidate, SamplingParams, Status, Verdict
from codesample.runs import Manifest, RunFolder

PASSED, WRONG, BROKEN = Status.PASSED, Status.WRONG, Status.HARNESS_ERROR


@pytest.fixture
def summary(adding, tmp_path: Path):
    """Make a report of statuses by problem, and of scores if given."""

    def make(
        statuses: dict[str, list[Status]],
        k: tuple[int, ...] = (1, 2),
        scores: dict[str, list[float]] | None = None,
        levels: tuple[str, ...] = ("confined",),
        weak: set[tuple[str, int]] = frozenset(),
        strict: bool = False,
    ) -> Report:
        sessions = tuple({"isolation": {"level": level}} for level in levels)
        manifest = Manifest("adding", "1", "hash", "scripted", SamplingParams(), 3, sessions)
        with RunFolder.create(tmp_path / "run", manifest) as run:
            for task_id, row in statuses.items():
                for index, status in enumerate(row):
                    run.add_sample(Candidate(task_id, index, "    return x\n", token_ids=(1, 2)))
                    integrity = "weak" if (task_id, index) in weak else "split"
                    run.add_verdict(Verdict(task_id, index, status, integrity=integrity))
            if scores:
                run.write_scores("given", {(t, i): s for t in scores for i, s in enumerate(scores[t])})
            known = ProblemSet(adding, tuple(adding.problems()))
            gathered = pools(run, known, run.sampled, strict=strict)
            return summarise(
                run,
                gathered,
                saved_scores(gathered, run),
                problems=len(gathered),
                n=3,
                k=k,
                seconds=Seconds(1.0, 1.0, 2.0),
                tokens_per_second=None,
            )

    return make


def test_a_harness_error_is_neither_pass_nor_fail(summary) -> None:
    report = summary({"adding/1": [PASSED, BROKEN, WRONG], "adding/2": [PASSED, PASSED, PASSED]})
    assert report.pass_at_k[1].value == pytest.approx((1 / 2 + 1) / 2)
    assert report.harness_errors == 1
    assert report.samples == 6


def test_a_k_that_some_problem_does_not_reach_is_left_out_and_says_so(summary) -> None:
    report = summary({"adding/1": [PASSED, BROKEN, BROKEN], "adding/2": [WRONG, WRONG, PASSED]})
    assert {k: each.value for k, each in report.pass_at_k.items()} == {1: pytest.approx((1 + 1 / 3) / 2)}
    why, notice = report.notices
    assert "the harness failed on adding/1, candidate 1: no reason known" in why
    assert "pass@2 is left out: pass@2 needs at least 2 candidates, problem 'adding/1' has 1" in notice


def test_without_any_k_left_the_report_can_still_be_printed(summary) -> None:
    report = summary({"adding/1": [PASSED, BROKEN, BROKEN]}, k=(2,))
    assert (report.pass_at_k, len(report.notices)) == ({}, 2)
    assert str(report) == "adding, scripted, 1 problem x 3: oracle 1.000"


def test_the_isolation_reported_is_the_weakest_that_programs_ran_under(summary) -> None:
    levels = ("confined", "limited", "namespaced")
    assert summary({"adding/1": [PASSED]}, k=(1,), levels=levels).isolation == "limited"


def test_a_problem_without_any_grade_is_not_counted(summary) -> None:
    report = summary({"adding/1": [BROKEN, BROKEN, BROKEN], "adding/2": [PASSED, WRONG, WRONG]})
    assert (report.problems, report.samples, report.harness_errors) == (1, 6, 3)
    assert report.notices[0] == "1 problem has no candidate that could be judged"


def test_nothing_graded_is_refused(summary) -> None:
    with pytest.raises(ExecutionError, match=r"no candidate could be judged; .* adding/1, candidate 0: no"):
        summary({"adding/1": [BROKEN, BROKEN, BROKEN]})


def test_a_harness_error_is_never_the_choice(summary) -> None:
    report = summary({"adding/1": [BROKEN, PASSED, WRONG]}, scores={"adding/1": [9.0, 2.0, 1.0]})
    assert report.rerankers["given"].best_of_n.value == 1.0


def test_tied_scores_share_the_choice(summary) -> None:
    report = summary({"adding/1": [PASSED, WRONG, WRONG]}, scores={"adding/1": [1.0, 1.0, 0.0]})
    assert report.rerankers["given"].best_of_n.value == 0.5
    assert report.rerankers["given"].gap_closed.value == pytest.approx((1 / 2 - 1 / 3) / (1 - 1 / 3))


def test_without_a_gap_there_is_no_share_of_it(summary) -> None:
    report = summary({"adding/1": [PASSED, PASSED, PASSED]}, scores={"adding/1": [1.0, 2.0, 3.0]})
    assert report.rerankers["given"].gap_closed is None


def test_verdicts_are_counted_by_integrity_harness_errors_apart(summary) -> None:
    statuses = {"adding/1": [PASSED, WRONG, BROKEN], "adding/2": [PASSED, PASSED, WRONG]}
    weak = {("adding/1", 0), ("adding/1", 1), ("adding/1", 2), ("adding/2", 0)}
    report = summary(statuses, weak=weak)
    assert report.integrity == {"split": Counted(2, 1), "weak": Counted(3, 2)}
    assert not report.strict
    assert Report.from_json(report.as_json(), run=report.run) == report
    assert report.as_json()["integrity"]["weak"] == {"verdicts": 3, "passed": 2}


def test_strictly_a_weak_pass_is_no_grade_and_a_weak_failure_is_one(summary) -> None:
    statuses = {"adding/1": [PASSED, PASSED, WRONG, WRONG], "adding/2": [PASSED, PASSED, WRONG]}
    weak = {("adding/1", 1), ("adding/1", 3), ("adding/2", 0), ("adding/2", 1), ("adding/2", 2)}
    scores = {"adding/1": [0.0, 9.0, 1.0, 2.0], "adding/2": [9.0, 8.0, 7.0]}
    report = summary(statuses, weak=weak, strict=True, scores=scores, k=(1,))
    assert report.pass_at_k[1].value == pytest.approx((1 / 3 + 0) / 2)
    # whom it puts first are weak passes, which are not chosen from
    assert report.rerankers["given"].best_of_n.value == 0.0
    assert report.strict
    assert report.weak == Counted(5, 3)
    assert report.samples == 7
    assert report.statuses == {"passed": 4, "wrong": 3}


def test_with_weak_passes_alone_there_is_strictly_nothing_to_report(summary) -> None:
    with pytest.raises(ExecutionError, match="no candidate could be judged; 2 passes are weak"):
        summary({"adding/1": [PASSED, PASSED]}, weak={("adding/1", 0), ("adding/1", 1)}, strict=True)


def test_a_report_with_all_its_figures_survives_json(summary) -> None:
    statuses = {"adding/1": [PASSED, WRONG, WRONG], "adding/2": [PASSED, PASSED, WRONG]}
    report = summary(statuses, scores={"adding/1": [1.0, 0.0, 0.0], "adding/2": [None, None, None]})
    content = json.loads(json.dumps(report.as_json()))
    assert Report.from_json(content, run=report.run) == report
    chosen = report.rerankers["given"]
    assert (chosen.abstained, chosen.over_random.won, chosen.over_random.tied) == (0.5, 1, 1)
    assert set(report.oracle_curve) == {1, 2, 3}
    assert report.oracle_curve[3] == report.oracle
    assert report.variance.sampling > 0
    assert (report.greedy, report.hidden_only) == (None, None)


def test_none_of_the_problems_solved_is_no_certainty(summary) -> None:
    report = summary({"adding/1": [WRONG, WRONG, WRONG], "adding/2": [WRONG, WRONG, WRONG]})
    assert report.random.value == 0.0
    # of two problems without a success
    assert report.random.high == pytest.approx(1 - 0.025 ** (1 / 2))
    assert report.pass_at_k[1] == report.random


def test_results_with_shares_that_have_no_interval_say_how_to_write_them_anew(summary) -> None:
    report = summary({"adding/1": [PASSED, WRONG, WRONG]}, scores={"adding/1": [1.0, 0.0, 0.0]})
    content = report.as_json()
    content["rerankers"]["given"] = {
        "best_of_n": content["rerankers"]["given"]["best_of_n"],
        "gap_closed": 0.5,
    }
    with pytest.raises(RunFolderError, match=r"not what this version writes .* codesample rerank"):
        Report.from_json(content, run=report.run)


def test_results_of_before_say_nothing_of_integrity(summary) -> None:
    report = summary({"adding/1": [PASSED, WRONG]})
    content = report.as_json()
    del content["integrity"], content["strict"]
    older = Report.from_json(content, run=report.run)
    assert (older.integrity, older.strict, older.weak) == ({}, False, Counted(0, 0))
