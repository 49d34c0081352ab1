"""The rerankers among the examples score a saved run, keep what rerankers owe, and do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.evaluation.reranking import rerank_run
from codesample.records import Candidate, PublicView, SamplingParams
from codesample.rerankers.context import Context
from codesample.rerankers.made_once import GeneratedTests, Outputs
from codesample.rerankers.registry import load_reranker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = (
    "my_logprob.py:surprise",
    "output_consensus.py:agreement",
    "output_consensus.py:on_my_inputs",
    "llm_judge.py:graded",
)
SANDBOX = RunOptions(workers=1, allow_weak_isolation="none")
VIEW = PublicView("t", "t/0", "", "Add one.", "f", ())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples") / "run"
    options = RunOptions(out=folder, workers=1, allow_weak_isolation="none", skip_health_check=True)
    params = SamplingParams(max_new_tokens=48)
    evaluate("mini", n=4, limit=3, params=params, rerankers=["mean_logprob"], run=options)
    return folder


def test_every_example_scores_a_saved_run(run: Path) -> None:
    specs = [f"{EXAMPLES}/{name}" for name in NAMES]
    report = rerank_run(run, rerankers=[*specs, f"{specs[2]} > mean_logprob"], run=SANDBOX)
    given = set(report.rerankers)
    assert {name.partition(":")[2] for name in NAMES} < given
    assert "on_my_inputs,mean_logprob" in given
    # the built-in model gives no grades, and the report says so
    assert any("an answer without a grade" in notice for notice in report.notices)


@pytest.mark.parametrize("name", NAMES)
def test_every_example_keeps_what_rerankers_owe(name: str) -> None:
    command = ["rerankers", "check", f"{EXAMPLES}/{name}", "--workers", "1", "--allow-weak-isolation", "none"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", sorted({name.partition(":")[0] for name in NAMES}))
def test_the_commands_in_the_docstring_name_what_is_there(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    shown = re.findall(r"examples/(\w+\.py):(\w+)", text.partition('"""')[2].partition('"""')[0])
    assert shown
    for file, reranker in shown:
        assert load_reranker(f"{EXAMPLES / file}:{reranker}").name == reranker


def candidates(count: int) -> list[Candidate]:
    return [Candidate("t/0", index, "", program=f"# {index}\n") for index in range(count)]


def test_agreement_is_the_mean_share_of_those_that_return_the_same() -> None:
    rows = (("1", "2"), ("1", "3"), ("1", None), None, (None, None))

    class Behaviour:
        def outputs(self, programs: Any) -> Outputs:
            return Outputs(("f(1)", "f(2)"), rows)

        passes = outputs

        def tests(self) -> GeneratedTests:
            return GeneratedTests()

    scores = load_reranker(f"{EXAMPLES}/output_consensus.py:agreement").score(
        VIEW,
        candidates(5),
        Context(VIEW, behaviour=Behaviour()),  # type: ignore[arg-type]
    )
    # of five, three agree on the first input; on the second each stands alone
    assert scores == [(3 + 1) / 2 / 5, (3 + 1) / 2 / 5, 3 / 2 / 5, None, 0.0]


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("It is right. Grade: 10", 10.0),
        ("Grade: 3, or no: Grade: 4.", 4.0),
        ("Grade: 11", None),
        ("Fine.", None),
    ],
)
def test_the_last_grade_of_an_answer_counts(answer: str, grade: float | None) -> None:
    class Judge:
        def generate_all(self, asked: Any, *, n: int, params: SamplingParams) -> list[list[Candidate]]:
            return [[Candidate(key, 0, answer)] for key, _ in asked]

        logprobs = None

    ctx = Context(VIEW, model=lambda name: Judge())  # type: ignore[arg-type, return-value]
    assert load_reranker(f"{EXAMPLES}/llm_judge.py:graded").score(VIEW, candidates(1), ctx) == [grade]
    assert bool(ctx.notes) is (grade is None)
