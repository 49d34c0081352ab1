"""References before a run, and the figures that say whether its verdicts can be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesample.errors import ExecutionError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.health_check import RunHealth, sample_of_references
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.reranking import load_report, rerank_run
from codesample.records import CodeTests, Problem, Status, Verdict
from codesample.tasks.contract import Task

TESTS = CodeTests(source="assert f() == 1")


def kept(out: Path, **more: Any) -> RunOptions:
    return RunOptions(out=out, workers=1, allow_weak_isolation="none", **more)


def with_references(task: Task, change: Callable[[int, str], str | None]) -> Task:
    """Return the task with other references, made from position and reference."""
    rows = [
        replace(each, reference=change(at, each.reference or "")) for at, each in enumerate(task.problems())
    ]
    return replace(task, load=lambda: rows)


class Listening(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def planned(self, what: str) -> None:
        self.heard.append(("planned", what))

    def notice(self, text: str) -> None:
        self.heard.append(("notice", text))


def test_a_sound_run_says_that_references_pass(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    report = evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), **options)
    health = report.health
    assert (health.references_tried, health.references_passed, health.references_failed) == (4, 4, ())
    assert (health.timeouts, health.retried, health.harness_errors) == (0, 0, 0)
    assert health.processors >= 1
    assert not [notice for notice in report.notices if "reference" in notice]
    assert load_report(tmp_path / "run").health == health
    again = rerank_run(tmp_path / "run", task=adding, rerankers=("mean_logprob",))
    assert (again.health.references_tried, again.health.references_passed) == (4, 4)


def test_one_reference_that_fails_is_named_before_sampling_and_in_the_report(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    task = with_references(adding, lambda at, body: "    return x\n" if at == 1 else body)
    listening = Listening()
    engine = scripted_engine(before_each=lambda count: listening.heard.append(("drawn", str(count))))
    report = evaluate(task, model=engine, run=kept(tmp_path / "run"), observer=listening, **options)
    kinds = [kind for kind, _ in listening.heard[:3]]
    assert kinds == ["planned", "notice", "drawn"]
    assert "1 of 4 reference solutions tried FAIL here" in listening.heard[1][1]
    assert "adding/2: wrong" in listening.heard[1][1]
    assert (report.health.references_passed, report.health.references_tried) == (3, 4)
    assert any("adding/2: wrong" in notice for notice in report.notices)


def test_a_task_none_of_whose_references_passes_is_refused_before_the_model_is_loaded(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    task = with_references(adding, lambda at, body: "    return x - 50\n")
    engine = scripted_engine()
    with pytest.raises(ExecutionError, match=r"none of 4 .*adding/1: wrong.*--skip-health-check"):
        evaluate(task, model=engine, run=kept(tmp_path / "run"), **options)
    assert not engine.asked
    assert not (tmp_path / "run").exists()
    report = evaluate(task, model=engine, run=kept(tmp_path / "run", skip_health_check=True), **options)
    assert report.health.references_tried == 0


def test_a_task_without_references_runs(
    adding: Task, scripted_engine: type[Any], options: dict[str, Any], tmp_path: Path
) -> None:
    task = with_references(adding, lambda at, body: None)
    report = evaluate(task, model=scripted_engine(), run=kept(tmp_path / "run"), **options)
    assert report.health.references_tried == 0


def test_recorded_samples_are_judged_after_the_same_check(adding: Task, tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task_id": "adding/2", "completion": "    return x + 2\\n"}\n')
    report = execute_samples(samples, adding, run=kept(tmp_path / "run"))
    # only the problems that have samples are the run's own
    assert (report.health.references_passed, report.health.references_tried) == (1, 1)
    with pytest.raises(ExecutionError, match="no reference passes here"):
        execute_samples(
            samples,
            with_references(adding, lambda at, body: "    return\n"),
            run=kept(tmp_path / "other"),
        )


def test_time_outs_second_tries_and_faults_are_counted() -> None:
    verdicts = [
        Verdict("a", 0, Status.PASSED),
        Verdict("a", 1, Status.PASSED, first_try=Status.WALL_TIMEOUT),
        Verdict("a", 2, Status.CPU_TIMEOUT, first_try=Status.CPU_TIMEOUT),
        Verdict("a", 3, Status.WALL_TIMEOUT),
        Verdict("a", 4, Status.HARNESS_ERROR),
    ]
    health = RunHealth(4, 4).with_verdicts(verdicts)
    assert (health.references_tried, health.timeouts, health.retried, health.harness_errors) == (4, 2, 2, 1)


@given(st.lists(st.booleans(), max_size=40), st.integers(2, 6))
def test_the_sample_is_spread_and_of_problems_with_references(able: Sequence[bool], count: int) -> None:
    problems = [Problem(str(at), "p", TESTS, reference="r" if has else None) for at, has in enumerate(able)]
    chosen = sample_of_references(problems, count)
    usable = [each for each in problems if each.reference]
    assert len(chosen) == min(count, len(usable))
    assert len({each.task_id for each in chosen}) == len(chosen)
    assert all(each.reference for each in chosen)
    if len(usable) > 1:
        assert (chosen[0], chosen[-1]) == (usable[0], usable[-1])


def test_a_load_is_told_beside_the_processors_it_is_on() -> None:
    ended = RunHealth().ended()
    assert (ended.processors, RunHealth(processors=64).ended().processors) == (os.cpu_count(), 64)
