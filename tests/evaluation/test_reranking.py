"""A finished run scored again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.engines.contract import Reproducibility
from codesample.errors import DataError, IsolationError, RerankerError, RunFolderError
from codesample.evaluation.comparison import compare_rerankers
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, rerank_run
from codesample.evaluation.run_contents import read_run
from codesample.execution import Executor, Level
from codesample.records import Candidate, PublicView
from codesample.rerankers.context import Context
from codesample.rerankers.contract import reranker
from codesample.tasks.registry import load_task_file

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


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


class Adding:
    """Gives x + index for every problem, so that candidate a is right for problem a."""

    name = "adding"
    abilities = frozenset({"logprobs"})
    reproducibility = Reproducibility.EXACT

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
    return evaluate(problems, model=Adding(), n=3, rerankers=["mean_logprob"], run=kept(tmp_path / "run"))


def test_scores_that_are_the_verdicts_are_told_of(tmp_path: Path) -> None:
    file, samples = tmp_path / "mine.jsonl", tmp_path / "samples.jsonl"
    each = [PROBLEMS[0] | {"task_id": f"mine/{at}"} for at in range(5)]
    file.write_text("".join(json.dumps(problem) + "\n" for problem in each))
    rows = [(problem["task_id"], addend) for problem in each for addend in (1, 2)]
    lines = ({"task_id": task_id, "completion": f"    return x + {addend}\n"} for task_id, addend in rows)
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    task = load_task_file(file)
    made = execute_samples(samples, task, run=kept(tmp_path / "run"))

    @reranker
    def knows(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [float("x + 1" in each.completion) for each in candidates]

    @reranker
    def prefers(view: PublicView, candidates: Sequence[Candidate], ctx: Context) -> list[float | None]:
        return [2.0 * ("x + 1" in each.completion) for each in candidates]

    notices = rerank_run(made.run, rerankers=[knows, prefers], task=task, run=kept()).notices
    (told,) = (notice for notice in notices if "as if it had read the verdicts" in notice)
    assert told.startswith("the scores of knows are 1 for every program that passed and 0 for every other")


def test_a_model_that_is_not_there_is_told_before_anything_is_scored(tmp_path: Path) -> None:
    made = evaluate("mini", model="tiny", n=1, limit=1, rerankers=[], run=kept(tmp_path / "run"))
    with pytest.raises(RerankerError, match=r"^reranker 'judge_pointwise.*unknown model '\./nowhere'"):
        rerank_run(made.run, rerankers=["mean_logprob", "judge_pointwise(model='./nowhere')"], run=kept())
    assert load_report(made.run).rerankers == {}


def test_new_scores_stand_beside_the_earlier_ones(report: Report, tmp_path: Path) -> None:
    (tmp_path / "idea.py").write_text(SCORER)
    again = rerank_run(report.run, rerankers=[f"{tmp_path}/idea.py:last"], run=kept())
    assert list(again.rerankers) == ["last", "mean_logprob"]
    assert again.rerankers["last"].best_of_n.value == 0.5
    assert again.rerankers["mean_logprob"] == report.rerankers["mean_logprob"]
    assert (again.pass_at_k, again.seconds) == (report.pass_at_k, report.seconds)
    assert load_report(report.run) == again


def test_scoring_again_replaces_what_the_same_reranker_gave(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "idea.py"
    file.write_text(SCORER)
    rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    file.write_text(SCORER.replace("float(candidate.index)", "-abs(candidate.index - 1.0)"))
    again = rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    assert len((report.run / "scores" / "last.jsonl").read_text().splitlines()) == 6
    assert again.rerankers["last"].best_of_n.value == 0.5


def test_a_reranker_that_breaks_its_contract_is_named_and_the_run_stays(report: Report, tmp_path) -> None:
    (tmp_path / "idea.py").write_text(SCORER.replace("for candidate in candidates", "for candidate in ()"))
    with pytest.raises(RerankerError, match="'last', problem 'mine/1'"):
        rerank_run(report.run, rerankers=[f"{tmp_path}/idea.py:last"], run=kept())
    assert load_report(report.run) == report


def test_problems_that_changed_since_are_refused(report: Report, problems: Path) -> None:
    problems.write_text(problems.read_text().replace("== 2", "== 3"))
    with pytest.raises(RunFolderError, match="not those"):
        rerank_run(report.run, rerankers=["mean_logprob"], run=kept())


def test_problems_that_moved_are_found_where_they_are_now(report: Report, problems: Path) -> None:
    moved = problems.rename(problems.with_name("moved.jsonl"))
    with pytest.raises(DataError, match=rf"no longer at {problems}; name their file: --data FILE"):
        rerank_run(report.run, rerankers=["mean_logprob"], run=kept())
    with pytest.raises(DataError, match=r"elsewhere\.jsonl: there is no such file"):
        rerank_run(report.run, rerankers=["mean_logprob"], data=Path("elsewhere.jsonl"), run=kept())
    assert rerank_run(report.run, rerankers=["mean_logprob"], data=moved, run=kept()) == report


def test_a_run_of_a_task_of_ones_own_is_reranked_by_giving_the_task(
    adding, scripted_engine, tmp_path
) -> None:
    made = evaluate(
        adding, model=scripted_engine(), n=2, rerankers=["mean_logprob"], run=kept(tmp_path / "run")
    )
    assert rerank_run(made.run, task=adding, rerankers=["mean_logprob"], run=kept()) == made
    with pytest.raises(RunFolderError, match="made with version 1 of adding, which is version 2 here"):
        rerank_run(made.run, task=replace(adding, version="2"), run=kept())


def test_a_run_that_is_not_finished_is_refused_and_gets_no_results(adding, scripted_engine, tmp_path) -> None:
    def stop(count: int) -> None:
        if count == 5:
            raise KeyboardInterrupt

    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        evaluate(adding, model=scripted_engine(stop), n=2, rerankers=["mean_logprob"], run=kept(run))
    with pytest.raises(RunFolderError, match=r"[3-8] of 8 candidates have no verdict yet; .* --resume"):
        rerank_run(run, task=adding, run=kept())
    assert not (run / "results.json").exists()


def test_samples_of_another_origin_are_reranked_whatever_their_indices(adding, tmp_path) -> None:
    file = tmp_path / "samples.jsonl"
    rows = [{"task_id": "adding/2", "completion": "    return x + 2\n", "index": index} for index in (3, 9)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = execute_samples(file, adding, run=kept(tmp_path / "run"))
    again = rerank_run(made.run, task=adding, rerankers=["public_examples"], run=kept())
    assert (again.samples, again.n, again.pass_at_k) == (2, 2, made.pass_at_k)


def test_without_a_name_a_run_is_scored_by_what_it_has_the_means_for(adding, tmp_path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text(json.dumps({"task_id": "adding/2", "completion": "    return x + 2\n"}) + "\n")
    made = execute_samples(file, adding, run=kept(tmp_path / "run"))
    said: list[str] = []

    class Listening(Observer):
        def notice(self, message: str) -> None:
            said.append(message)

    again = rerank_run(made.run, task=adding, observer=Listening(), run=kept())
    assert list(again.rerankers) == ["public_examples"]
    assert replace(again, rerankers={}) == made
    assert any("not scored by mean_logprob" in notice for notice in said)


def test_programs_kept_apart_less_than_for_the_verdicts_are_said(report: Report) -> None:
    record = json.loads((report.run / "run.json").read_text())
    record["sessions"][0]["isolation"]["level"] = "namespaced"
    (report.run / "run.json").write_text(json.dumps(record))
    executor = Executor(workers=1, level=Level.NONE, minimum=Level.NONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codesample.evaluation.reranking.open_judge", lambda *_: executor)
        again = rerank_run(report.run, rerankers=["public_examples"])
    assert "at isolation 'none', weaker than 'namespaced'" in again.notices[-1]


def test_what_the_last_call_covered_is_what_is_reranked(adding, scripted_engine, tmp_path) -> None:
    run, given = tmp_path / "run", {"rerankers": ["mean_logprob"]}
    evaluate(adding, model=scripted_engine(), n=3, run=kept(run), **given)
    fewer = evaluate(adding, model=scripted_engine(), n=2, limit=3, run=kept(run, resume=True), **given)
    assert fewer.samples == 6
    assert rerank_run(run, task=adding, rerankers=["mean_logprob"], run=kept()) == fewer


def test_the_k_of_the_run_are_kept(problems: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    evaluate(problems, model=Adding(), n=3, k=(2, 3), rerankers=["mean_logprob"], run=kept(run))
    assert list(rerank_run(run, rerankers=["mean_logprob"], run=kept()).pass_at_k) == [2, 3]
    assert list(rerank_run(run, rerankers=["mean_logprob"], k=(1,), run=kept()).pass_at_k) == [1]


def test_the_isolation_of_the_verdicts_stays_that_of_the_sampling(report: Report) -> None:
    record = json.loads((report.run / "run.json").read_text())
    record["sessions"][0]["isolation"]["level"] = "limited"
    (report.run / "run.json").write_text(json.dumps(record))
    assert rerank_run(report.run, rerankers=["mean_logprob"], run=kept()).isolation == "limited"


def test_rerankers_that_run_no_program_need_no_sandbox(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise IsolationError("nothing is isolated here")

    monkeypatch.setattr("codesample.evaluation.reranking.open_judge", refuse)
    assert rerank_run(report.run, rerankers=["mean_logprob"]) == report
    with pytest.raises(IsolationError):
        rerank_run(report.run, rerankers=["public_examples"])


def test_what_opening_the_run_repaired_is_said(report: Report) -> None:
    said: list[str] = []

    class Listening(Observer):
        def notice(self, text: str) -> None:
            said.append(text)

    with (report.run / "verdicts.jsonl").open("a") as file:
        file.write("{torn")
    rerank_run(report.run, rerankers=["mean_logprob"], observer=Listening(), run=kept())
    assert said == ["verdicts.jsonl: cut off an incomplete last line of 5 bytes; it will be made again"]


def test_a_reranker_that_fails_leaves_its_earlier_scores_and_the_others(report: Report, tmp_path) -> None:
    file = tmp_path / "idea.py"
    file.write_text(SCORER)
    first = rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    fault = "for candidate in candidates] * (view.task_id != 'mine/2')"
    file.write_text(SCORER.replace("for candidate in candidates]", fault))
    with pytest.raises(RerankerError, match="'last', problem 'mine/2'"):
        rerank_run(report.run, rerankers=[f"{file}:last", "sum_logprob"], run=kept())
    left = load_report(report.run)
    assert list(left.rerankers) == ["last", "mean_logprob", "sum_logprob"]
    assert left.rerankers["last"] == first.rerankers["last"]


def test_a_damaged_sample_line_does_not_hide_the_report(report: Report) -> None:
    (report.run / "samples.jsonl").write_text("{\n")
    assert load_report(report.run) == report


def test_a_run_without_results_has_no_report(report: Report) -> None:
    (report.run / "results.json").unlink()
    with pytest.raises(RunFolderError, match="--resume"):
        load_report(report.run)


@pytest.mark.parametrize("content", ["{}", '{"task": 1}', "[]", '{"pass_at_k": {"1": 3}}'])
def test_results_of_another_form_are_refused_with_the_remedy(report: Report, content: str) -> None:
    (report.run / "results.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"results\.json"):
        load_report(report.run)


def test_a_folder_may_be_named_by_its_text(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="wrong"):
        read_run(str(tmp_path / "wrong"))


def told_by(observer_said: list[str]) -> Observer:
    class Listening(Observer):
        def notice(self, text: str) -> None:
            observer_said.append(text)

    return Listening()


def test_a_reranker_called_as_an_installed_one_is_refused_and_takes_no_place(
    report: Report, tmp_path
) -> None:
    file = tmp_path / "idea.py"
    file.write_text(SCORER.replace("def last", "def mean_logprob"))
    before = (report.run / "scores" / "mean_logprob.jsonl").read_text()
    for spec in (f"{file}:mean_logprob", f"sum_logprob > {file}:mean_logprob"):
        with pytest.raises(RerankerError, match=r"'mean_logprob' of .*idea\.py is called as the installed"):
            rerank_run(report.run, rerankers=[spec], run=kept())
    assert (report.run / "scores" / "mean_logprob.jsonl").read_text() == before
    # by its module it is the installed one itself
    again = rerank_run(report.run, rerankers=["codesample.rerankers.logprob:mean_logprob"], run=kept())
    assert again == report


def test_scores_of_another_file_are_replaced_with_a_word(report: Report, tmp_path) -> None:
    (one := tmp_path / "one.py").write_text(SCORER)
    (other := tmp_path / "other.py").write_text(SCORER.replace("float(", "-float("))
    said: list[str] = []
    for file in (one, one, other):
        rerank_run(report.run, rerankers=[f"{file}:last"], run=kept(), observer=told_by(said))
    assert [each for each in said if "replaced" in each] == [
        f"scores of last by {one} are replaced by {other}'s"
    ]
    origin = read_run(report.run).given_by["last"]
    assert (origin.place, origin.outdated) == (str(other), False)
    assert origin.fingerprint


@pytest.mark.parametrize("ends", ["raise ValueError('new')", "raise KeyboardInterrupt"])
def test_scores_of_older_code_are_marked_where_the_newer_did_not_end(
    report: Report, tmp_path: Path, ends: str
) -> None:
    file = tmp_path / "idea.py"
    file.write_text(SCORER)
    rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    assert not any("older code" in each for each in load_report(report.run).notices)
    file.write_text(
        SCORER.replace("    return", f"    if view.task_id == 'mine/2':\n        {ends}\n    return")
    )
    with pytest.raises((RerankerError, KeyboardInterrupt)):
        rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    (marked,) = [each for each in load_report(report.run).notices if "older code" in each]
    assert marked.startswith("the scores of last are of older code: what scored last did not")
    contents = read_run(report.run)
    assert marked in compare_rerankers(contents, "last", "random").notices
    assert marked not in compare_rerankers(contents, "mean_logprob", "random").notices
    file.write_text(SCORER)
    rerank_run(report.run, rerankers=[f"{file}:last"], run=kept())
    assert not any("older code" in each for each in load_report(report.run).notices)
