"""A finished run scored again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesample.errors import RerankerError, RunFolderError
from codesample.evaluation.driver import evaluate
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, rerank_run

WEAK = {"workers": 1, "allow_weak_isolation": "none"}
PROBLEMS = [
    {
        "task_id": f"mine/{addend}",
        "prompt": f'def add(x):\n    """Return x + {addend}."""\n',
        "entry_point": "add",
        "test": f"assert add(1) == {addend + 1}\n",
    }
    for addend in (1, 2)
]
SCORER = """
from codesample import reranker

@reranker
def last(view, candidates, ctx):
    return [float(candidate.index) for candidate in candidates]
"""


class Adding:
    """Gives x + index for every problem, so that candidate a is right for problem a."""

    name = "adding"
    abilities = frozenset({"logprobs"})

    def stream(self, requests, params, *, progress=None):
        from codesample.records import Candidate

        for request in requests:
            for index in request.indices:
                text = f"    return x + {index}\n"
                yield Candidate(request.task_id, index, text, token_ids=(1,), logprobs=(-1.0 * index,))

    def describe(self):
        return {"name": self.name}


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in PROBLEMS))
    return file


@pytest.fixture
def report(problems: Path, tmp_path: Path) -> Report:
    return evaluate(problems, model=Adding(), n=3, rerankers=["mean_logprob"], out=tmp_path / "run", **WEAK)


def test_new_scores_stand_beside_the_earlier_ones(report: Report, tmp_path: Path) -> None:
    (tmp_path / "idea.py").write_text(SCORER)
    again = rerank_run(report.run, rerankers=[f"{tmp_path}/idea.py:last"], **WEAK)
    assert list(again.rerankers) == ["last", "mean_logprob"]
    assert again.rerankers["last"].best_of_n.value == 0.5
    assert again.rerankers["mean_logprob"] == report.rerankers["mean_logprob"]
    assert (again.pass_at_k, again.seconds) == (report.pass_at_k, report.seconds)
    assert load_report(report.run) == again


def test_scoring_again_replaces_what_the_same_reranker_gave(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "idea.py"
    file.write_text(SCORER)
    rerank_run(report.run, rerankers=[f"{file}:last"], **WEAK)
    file.write_text(SCORER.replace("float(candidate.index)", "-abs(candidate.index - 1.0)"))
    again = rerank_run(report.run, rerankers=[f"{file}:last"], **WEAK)
    assert len((report.run / "scores" / "last.jsonl").read_text().splitlines()) == 6
    assert again.rerankers["last"].best_of_n.value == 0.5


def test_a_reranker_that_breaks_its_contract_is_named_and_the_run_stays(report: Report, tmp_path) -> None:
    (tmp_path / "idea.py").write_text(SCORER.replace("for candidate in candidates", "for candidate in ()"))
    with pytest.raises(RerankerError, match="'last', problem 'mine/1'"):
        rerank_run(report.run, rerankers=[f"{tmp_path}/idea.py:last"], **WEAK)
    assert load_report(report.run) == report


def test_problems_that_changed_since_are_refused(report: Report, problems: Path) -> None:
    problems.write_text(problems.read_text().replace("== 2", "== 3"))
    with pytest.raises(RunFolderError, match="not those"):
        rerank_run(report.run, rerankers=["mean_logprob"], **WEAK)


def test_a_run_without_results_has_no_report(report: Report) -> None:
    (report.run / "results.json").unlink()
    with pytest.raises(RunFolderError, match="--resume"):
        load_report(report.run)


@pytest.mark.parametrize("content", ["{}", '{"task": 1}', "[]", '{"pass_at_k": {"1": 3}}'])
def test_results_of_another_form_are_refused_with_the_remedy(report: Report, content: str) -> None:
    (report.run / "results.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"results\.json"):
        load_report(report.run)
