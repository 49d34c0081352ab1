"""Task in, report and run folder out; what is drawn goes on where it ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codesample.errors import (
    ModelError,
    ParameterError,
    RerankerError,
    RunFolderError,
)
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.observer import Observer, Snapshot
from codesample.evaluation.options import RunOptions
from codesample.evaluation.problem_set import read_problems
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report
from codesample.records import Candidate, PublicView
from codesample.rerankers.contract import reranker
from codesample.rerankers.registry import load_reranker
from codesample.runs import RunFolder

N = 6
# index % addend == 0 is right: of six candidates 6, 3, 2 and 2
SHARE = (6 + 3 + 2 + 2) / 4 / N
BEST = ("mean_logprob", "public_examples")


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


@pytest.fixture
def report(adding, scripted_engine, options, tmp_path: Path) -> Report:
    return evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), **options)


def test_figures_are_those_of_the_known_candidates(report: Report) -> None:
    assert (report.problems, report.n, report.samples) == (4, N, 4 * N)
    assert report.pass_at_k[1].value == pytest.approx(SHARE)
    assert report.random == report.pass_at_k[1]
    assert report.oracle.value == 1.0
    assert report.statuses == {"passed": 13, "wrong": 11}
    assert report.tokens == 4 * N * 4


def test_public_examples_find_a_right_candidate_where_there_is_one(report: Report) -> None:
    chosen = report.rerankers["public_examples"]
    assert (chosen.best_of_n.value, chosen.gap_closed.value) == (1.0, 1.0)
    # three problems have a gap, and that it is closed on every other is not proved by them
    assert chosen.gap_closed.low == pytest.approx(0.025 ** (1 / 3))


def test_k_above_n_is_left_out_where_none_was_named(report: Report) -> None:
    assert list(report.pass_at_k) == [1, 5]


def test_results_file_holds_the_report(report: Report) -> None:
    content = json.loads((report.run / "results.json").read_text())
    assert content == json.loads(json.dumps(report.as_json()))
    assert Report.from_json(content, run=report.run) == report
    assert set(content["pass_at_k"]["1"]) == {"value", "low", "high"}
    assert set(content["rerankers"]["mean_logprob"]) == {
        "abstained",
        "below_random",
        "best_of_n",
        "cost",
        "curve",
        "curve_note",
        "gap_closed",
        "over_random",
        "parts",
        "undecided",
    }
    assert set(content["rerankers"]["mean_logprob"]["gap_closed"]) == {"value", "low", "high"}
    assert set(content["seconds"]) == {"sampling", "execution", "total"}


def test_run_folder_holds_every_candidate_verdict_and_score(report: Report) -> None:
    with RunFolder.open(report.run) as run:
        keys = {(candidate.task_id, candidate.index) for candidate in run.samples()}
        assert len(keys) == 4 * N
        assert run.verdicts().keys() == keys
        assert run.scored_by() == sorted(BEST)
        assert run.scores("public_examples").keys() == keys


def test_run_record_says_what_would_repeat_it(report: Report) -> None:
    record = json.loads((report.run / "run.json").read_text())
    (session,) = record["sessions"]
    assert record["params"]["stop"] == ["\ndef "]
    assert record["params"]["max_new_tokens"] == 16
    assert session["model"] == {"name": "scripted", "abilities": ["logprobs"], "reproducibility": "exact"}
    assert session["settings"]["rerankers"] == list(BEST)
    assert {"python", "codesample", "torch"} <= session["versions"].keys()
    assert session["isolation"]["level"] == report.isolation


def test_larger_n_continues_a_run(report: Report, adding, scripted_engine, options) -> None:
    engine = scripted_engine()
    larger = evaluate(adding, model=engine, run=kept(report.run, resume=True), **{**options, "n": N + 2})
    assert sorted(engine.asked) == sorted((p.task_id, i) for p in adding.problems() for i in (N, N + 1))
    assert larger.samples == 4 * (N + 2)


def test_a_finished_run_resumed_asks_for_nothing_and_says_the_same(
    report: Report, adding, scripted_engine, options
) -> None:
    engine = scripted_engine()
    again = evaluate(adding, model=engine, run=kept(report.run, resume=True), **options)
    assert engine.asked == []
    assert (again.pass_at_k, again.rerankers) == (report.pass_at_k, report.rerankers)


@pytest.mark.parametrize("stop_after", [0, 1, 7, 23])
@pytest.mark.parametrize("raised", [KeyboardInterrupt, ModelError])
def test_what_was_finished_is_kept_when_a_run_ends_early(
    stop_after: int, raised: type[BaseException], adding, scripted_engine, options, tmp_path: Path
) -> None:
    def stop(count: int) -> None:
        if count == stop_after:
            raise raised

    broken = scripted_engine(stop)
    with pytest.raises(raised):
        evaluate(adding, model=broken, run=kept(tmp_path / "run"), **options)
    engine = scripted_engine()
    resumed = evaluate(adding, model=engine, run=kept(tmp_path / "run", resume=True), **options)
    whole = evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "whole"), **options)
    assert broken.closed
    assert len(engine.asked) == 4 * N - stop_after
    assert not set(engine.asked) & set(broken.asked)
    assert (resumed.pass_at_k, resumed.rerankers) == (whole.pass_at_k, whole.rerankers)


def test_a_reranker_of_ones_own_sees_programs_and_no_tests(
    adding, scripted_engine, options, tmp_path
) -> None:
    seen: list[PublicView] = []

    @reranker
    def shortest(view: PublicView, candidates: list[Candidate], ctx: object) -> list[float]:
        seen.append(view)
        return [-float(len(candidate.program or "")) for candidate in candidates]

    result = evaluate(
        adding, model=scripted_engine(), run=kept(tmp_path / "run"), **{**options, "rerankers": [shortest]}
    )
    assert result.rerankers.keys() == {"shortest"}
    assert [view.task_id for view in seen] == [problem.task_id for problem in adding.problems()]
    assert not hasattr(seen[0], "tests")


class Recorder(Observer):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.last: Snapshot | None = None

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        self.calls.append(f"started {problems} {candidates}")

    def progress(self, snapshot: Snapshot) -> None:
        self.last = snapshot

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        self.calls.append(f"{reranker} {done} of {problems}")

    def withdrawn(self) -> None:
        self.calls.append("withdrawn")

    def stopped(self) -> None:
        self.calls.append("stopped")


def test_an_observer_is_told_of_the_whole_run(adding, scripted_engine, options, tmp_path: Path) -> None:
    watching = Recorder()
    evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), observer=watching, **options)
    scored = [f"{name} {done} of 4" for name in BEST for done in (1, 2, 3, 4)]
    assert watching.calls == ["started 4 24", *scored, "stopped"]
    assert watching.last is not None
    assert (watching.last.problems_done, watching.last.candidates_done, watching.last.tokens) == (4, 24, 96)
    assert watching.last.pass_at_1 == pytest.approx(SHARE)


def test_a_reranker_that_fails_costs_only_its_own_scores(
    adding, scripted_engine, options, tmp_path: Path
) -> None:
    @reranker
    def faulty(view: PublicView, candidates: list[Candidate], ctx: object) -> list[float]:
        return [0.0] * (len(candidates) - (view.task_id == "adding/5"))

    run, settings = tmp_path / "run", {**options, "rerankers": [faulty, "mean_logprob"]}
    with pytest.raises(RerankerError, match="'faulty', problem 'adding/5'"):
        evaluate(adding, model=scripted_engine(), run=kept(run), **settings)
    left = load_report(run)
    assert list(left.rerankers) == ["mean_logprob"]
    assert left.pass_at_k[1].value == pytest.approx(SHARE)


@pytest.mark.parametrize("ends", ["candidate", "verdict", "score"])
def test_an_observer_is_told_of_the_end_whatever_ends_the_run(
    ends: str, adding, scripted_engine, options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise RunFolderError("the disk is full")

    method = {"candidate": "add_sample", "verdict": "add_verdict", "score": "write_scores"}[ends]
    monkeypatch.setattr(RunFolder, method, fail)
    watching = Recorder()
    with pytest.raises(RunFolderError, match="the disk is full"):
        evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), observer=watching, **options)
    assert watching.calls[-1] == "stopped"


def test_the_default_folder_is_named_after_task_and_model(
    adding, scripted_engine, options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = evaluate(adding, model=scripted_engine(), run=kept(), **options)
    assert result.run.parent == Path("runs")
    assert result.run.name.startswith("adding-scripted-")


def test_a_refusal_of_the_engine_leaves_no_folder_in_the_way(
    adding, scripted_engine, options, tmp_path: Path
) -> None:
    def refuse(count: int) -> None:
        raise ParameterError("no such token")

    watching = Recorder()
    with pytest.raises(ParameterError, match="no such token"):
        evaluate(
            adding, model=scripted_engine(refuse), run=kept(tmp_path / "run"), observer=watching, **options
        )
    assert watching.calls[-2:] == ["withdrawn", "stopped"]
    assert not (tmp_path / "run").exists()
    assert evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "run"), **options).samples == 4 * N


def test_one_reranker_and_one_k_need_not_be_lists_and_ids_choose_problems(
    adding, scripted_engine, tmp_path: Path
) -> None:
    report = evaluate(
        adding,
        model=scripted_engine(),
        n=3,
        k=2,
        rerankers="mean_logprob",
        ids=["adding/2", 5],
        run=kept(tmp_path / "run"),
    )
    assert (list(report.pass_at_k), list(report.rerankers)) == ([2], ["mean_logprob"])
    assert (report.problems, report.samples) == (2, 6)
    chosen = read_problems(adding, ids="2,5")
    again = evaluate(
        chosen, model=scripted_engine(), n=3, k=2, rerankers="mean_logprob", run=kept(tmp_path / "2")
    )
    assert again.pass_at_k == report.pass_at_k
    by_object = load_reranker("mean_logprob")
    assert (
        evaluate(
            chosen, model=scripted_engine(), n=3, k=2, rerankers=by_object, limit=1, run=kept(tmp_path / "3")
        ).samples
        == 3
    )
