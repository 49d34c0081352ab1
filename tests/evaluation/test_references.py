"""Reference solutions through the sandbox: what checks a task, its tests and the machine at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesample.evaluation.options import RunOptions
from codesample.evaluation.references import verify_references
from codesample.tasks.contract import Task

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


def test_all_references_of_a_sound_task_pass(adding: Task) -> None:
    outcome = verify_references(adding, run=kept())
    assert (outcome.task, outcome.passed, outcome.failed, outcome.missing) == ("adding", 4, (), ())


def test_wrong_and_missing_references_are_named(adding: Task) -> None:
    rows = list(adding.problems())
    rows[1] = replace(rows[1], reference="    return x\n")
    rows[2] = replace(rows[2], reference=None)
    outcome = verify_references(replace(adding, load=lambda: rows), run=kept())
    assert outcome.passed == 2
    assert [verdict.task_id for verdict in outcome.failed] == ["adding/2"]
    assert outcome.missing == ("adding/3",)


@pytest.mark.parametrize(
    ("task", "file", "count"),
    [
        pytest.param("humaneval", "HumanEval.jsonl.gz", 164, marks=pytest.mark.slow),
        pytest.param("mbpp_sanitized", "sanitized-mbpp.json", 427, marks=pytest.mark.whole),
        pytest.param("mbpp", "mbpp.jsonl", 974, marks=pytest.mark.whole),
    ],
)
def test_references_of_the_published_data_pass(task: str, file: str, count: int) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"the published data set {file} is not beside the checkout")
    outcome = verify_references(task, data=DATA / file, run=kept())
    assert [(verdict.task_id, verdict.detail) for verdict in outcome.failed] == []
    assert (outcome.passed, outcome.missing) == (count, ())


def test_references_of_the_built_in_task_pass() -> None:
    outcome = verify_references("mini", run=kept())
    assert outcome.failed == ()
    assert outcome.passed >= 80
