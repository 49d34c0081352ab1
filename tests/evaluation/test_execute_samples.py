"""Samples of any origin, judged and reported like a run of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codesample.errors import DataError, MetricError, ParameterError, RerankerError, RunFolderError
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import RunOptions


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


def row(addend: int, right: bool, **extra: Any) -> dict[str, Any]:
    body = f"    return x + {addend if right else 7}\n"
    return {"task_id": f"adding/{addend}", "completion": body, **extra}


@pytest.fixture
def write(tmp_path: Path):
    def rows(*rows: dict[str, Any]) -> Path:
        file = tmp_path / "samples.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in rows))
        return file

    return rows


def test_a_subset_of_the_problems_and_unequal_numbers_of_samples_are_fine(write, adding, tmp_path) -> None:
    samples = write(row(2, True), row(2, False), row(2, False), row(3, True), row(3, True))
    report = execute_samples(samples, adding, run=kept(tmp_path / "run"))
    assert (report.problems, report.n, report.samples) == (2, 2, 5)
    assert report.pass_at_k[1].value == pytest.approx((1 / 3 + 1) / 2)
    assert report.statuses == {"passed": 3, "wrong": 2}
    assert report.n_max == 3
    # a generation that died is not to pass for a whole one
    (notice,) = report.notices
    problems = len(adding.problems())
    assert notice == f"{problems - 2} of {problems} problems have no samples and count in no figure"


def test_a_solution_is_run_as_the_whole_program(write, adding, tmp_path) -> None:
    whole = {"task_id": "adding/5", "solution": "def add(x):\n    return x + 5\n"}
    report = execute_samples(write(whole), adding, run=kept(tmp_path / "run"))
    assert report.pass_at_k[1].value == 1.0


def test_a_solution_is_still_the_whole_program_when_resumed(write, adding, tmp_path) -> None:
    samples = write({"task_id": "adding/5", "solution": "def add(x):\n    return x + 5\n"})
    run = tmp_path / "run"
    execute_samples(samples, adding, run=kept(run))
    (run / "verdicts.jsonl").unlink()
    report = execute_samples(samples, adding, run=kept(run, resume=True))
    assert report.statuses == {"passed": 1}


def test_another_file_does_not_continue_a_run(write, adding, tmp_path) -> None:
    execute_samples(write(row(1, True)), adding, run=kept(tmp_path / "run"))
    with pytest.raises(RunFolderError, match="model"):
        execute_samples(write(row(1, False)), adding, run=kept(tmp_path / "run", resume=True))


def test_k_above_the_fewest_samples_is_refused(write, adding, tmp_path) -> None:
    samples = write(row(1, True), row(1, True), row(2, True))
    with pytest.raises(MetricError, match=r"k = 2 with n = 1.*; adding/2 has the fewest samples"):
        execute_samples(samples, adding, k=(2,), run=kept(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_log_probabilities_that_are_not_there_cannot_be_reranked_by(write, adding, tmp_path) -> None:
    with pytest.raises(RerankerError, match="gives no log-probabilities"):
        execute_samples(write(row(1, True)), adding, rerankers=["mean_logprob"], run=kept(tmp_path / "run"))


def test_recorded_samples_can_be_reranked(write, adding, tmp_path) -> None:
    samples = write(row(2, False), row(2, True))
    report = execute_samples(samples, adding, rerankers=["public_examples"], run=kept(tmp_path / "run"))
    assert report.rerankers["public_examples"].best_of_n.value == 1.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"task_id": "adding/4", "completion": ""}', "did you mean 'adding/"),
        ('{"task_id": "adding/1"}', "neither 'completion' nor 'solution'"),
        ("{", "not JSON"),
    ],
)
def test_a_malformed_row_is_named_with_file_and_line(line: str, message: str, adding, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(json.dumps(row(1, True)) + "\n" + line + "\n")
    with pytest.raises(DataError, match=r"samples\.jsonl:2") as refused:
        execute_samples(file, adding, run=kept())
    assert message in str(refused.value)


def test_an_empty_file_is_refused(write, adding) -> None:
    with pytest.raises(DataError, match="holds no samples"):
        execute_samples(write(), adding, run=kept())


def test_resuming_needs_a_folder(write, adding) -> None:
    with pytest.raises(ParameterError, match="--out RUN"):
        execute_samples(write(row(1, True)), adding, run=kept(resume=True))
