"""Problems that need packages which are not installed are left out, and the run says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.lacking_packages import lacking_packages, notice_of_lacking
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.references import verify_references
from codesample.execution import Executor
from codesample.records import CodeTests, Problem
from codesample.tasks.contract import Task


def problem(task_id: str, *imports: str) -> Problem:
    tests = CodeTests(source="assert f() == 1", entry_point="f", imports=imports)
    return Problem(task_id, f"# {task_id}\ndef f():\n", tests, entry_point="f", reference="    return 1\n")


def task_of(*problems: Problem) -> Task:
    return Task("mixed", "1", "here", (), 8, lambda: problems)


class Told(Observer):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


MIXED = task_of(
    *(problem("a"), problem("b", "no_such_package.part", "os"), problem("c", "sklearn_of_nobody", "PIL2"))
)


def test_what_is_missing_is_told_by_problem() -> None:
    found = lacking_packages(MIXED.problems(), RunOptions())
    assert found == {"b": ("no_such_package.part",), "c": ("sklearn_of_nobody", "PIL2")}


def test_of_a_judge_of_the_callers_own_nothing_is_known() -> None:
    with Executor(workers=1) as judge:
        assert lacking_packages(MIXED.problems(), RunOptions(judge=judge)) == {}


def test_the_notice_counts_and_says_what_to_install() -> None:
    lacking = {"a": ("sklearn.cluster", "bs4"), "b": ("sklearn.svm",)}
    assert notice_of_lacking(lacking, 5) == (
        "2 of 5 problems need packages that are not installed here, and are left out: scikit-learn, "
        "beautifulsoup4; to have them judged: pip install scikit-learn beautifulsoup4"
    )
    assert notice_of_lacking({}, 5) == ""
    many = {str(number): (f"m{number}",) for number in range(20)}
    assert "m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11 and 8 more;" in notice_of_lacking(many, 30)


def test_a_run_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    told = Told()
    report = evaluate(MIXED, n=1, run=RunOptions(out=tmp_path / "run"), rerankers=(), observer=told)
    assert (report.samples, report.problems) == (1, 1)
    (notice,) = [text for text in told.notices if "not installed" in text]
    assert notice.startswith("2 of 3 problems need packages")
    assert notice in report.notices
    again = evaluate(MIXED, n=1, run=RunOptions(out=tmp_path / "run", resume=True), rerankers=())
    assert again.samples == 1


def test_a_run_with_nothing_left_is_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="1 of 1 problems need packages"):
        evaluate(
            task_of(problem("b", "no_such_package")),
            n=1,
            model="no/such/model",
            run=RunOptions(out=tmp_path / "run"),
            rerankers=(),
        )
    assert not (tmp_path / "run").exists()


def test_references_that_cannot_be_tried_are_listed_and_are_no_failure() -> None:
    found = verify_references(MIXED)
    assert (found.passed, found.failed) == (1, ())
    assert set(found.lacking) == {"b", "c"}
    assert found.sound
    assert found.as_json()["lacking"]["b"] == ["no_such_package.part"]
