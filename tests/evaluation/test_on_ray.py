"""A run on a cluster of threads: what goes there, what stays here, and what is recorded of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from thread_cluster import ThreadCluster

from codesample import ModelOptions, RunOptions, evaluate
from codesample.distributed.judging_actor import JudgingActor
from codesample.distributed.sampling_actor import SamplingActor
from codesample.errors import ModelError, ParameterError
from codesample.runs import RunFolder


class Named(ThreadCluster):
    version = "2.60.0"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, scripted_engine) -> Named:
    """Put a cluster of two nodes at "auto"; models that are opened by name are the scripted one."""
    made = Named(((2, 0), (2, 0)))

    @contextmanager
    def connected(address: str) -> Iterator[Named]:
        assert address == "auto"
        yield made

    monkeypatch.setattr("codesample.distributed.ray_cluster.connected", connected)
    monkeypatch.setattr("codesample.evaluation.plan.open_engine", lambda options: scripted_engine())
    return made


def options(out: Path, **more) -> RunOptions:
    return RunOptions(out=out, allow_weak_isolation="none", cache=False, ray="auto", **more)


def contents(run: Path) -> tuple[list[str], dict]:
    with RunFolder.open(run) as kept:
        lines = sorted((run / "samples.jsonl").read_text().splitlines())
        return lines, {key: (each.status, each.checks) for key, each in kept.verdicts().items()}


def test_a_run_on_a_cluster_is_that_of_one_process(cluster: Named, adding, tmp_path: Path) -> None:
    report = evaluate(adding, model="tiny", n=6, rerankers="public_examples", run=options(tmp_path / "far"))
    here = RunOptions(out=tmp_path / "here", allow_weak_isolation="none", cache=False)
    evaluate(adding, model="tiny", n=6, rerankers="public_examples", run=here)
    assert contents(tmp_path / "far") == contents(tmp_path / "here")
    assert len(contents(report.run)[1]) == 24
    assert {each.kind for each in cluster.actors} == {SamplingActor, JudgingActor}
    (session,) = json.loads((tmp_path / "far" / "run.json").read_text())["sessions"]
    assert session["settings"]["ray"] == "auto"
    found = session["cluster"]
    assert (found["ray"], found["failed"], len(found["nodes"])) == ("2.60.0", 0, 2)
    for node in found["nodes"].values():
        assert node["versions"]["codesample"]
        assert node["cores"] >= 1
        assert node["judging"]["isolation"] == session["isolation"]["level"]
    # the first of both may have drawn everything before the other has opened its engine
    sampled = [node["sampling"]["count"] for node in found["nodes"].values() if "sampling" in node]
    assert sampled in ([1], [1, 1])


def test_an_engine_that_is_open_stays_here(cluster: Named, adding, scripted_engine, tmp_path: Path) -> None:
    evaluate(adding, model=scripted_engine(), n=2, rerankers="mean_logprob", run=options(tmp_path / "run"))
    assert {each.kind for each in cluster.actors} == {JudgingActor}


def test_what_died_is_recorded_and_told(cluster: Named, adding, tmp_path: Path) -> None:
    once = iter([True])
    cluster._dies = lambda kind, method: kind is SamplingActor and method == "take" and next(once, False)
    report = evaluate(adding, model="tiny", n=4, rerankers="mean_logprob", run=options(tmp_path / "run"))
    (session,) = json.loads((tmp_path / "run" / "run.json").read_text())["sessions"]
    assert session["cluster"]["failed"] == 1
    assert session["cluster"]["failures"][0]["what"] == "sampling actor"
    assert session["cluster"]["requeued"]["candidates"] > 0
    assert any("1 actors died" in notice for notice in report.notices)


def test_what_died_is_recorded_where_nothing_is_left_and_the_run_goes_on_later(
    cluster: Named, adding, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    cluster._dies = lambda kind, method: kind is SamplingActor and method == "take"
    with pytest.raises(ModelError):
        evaluate(adding, model="tiny", n=4, rerankers="mean_logprob", run=options(run))
    (session,) = json.loads((run / "run.json").read_text())["sessions"]
    assert session["cluster"]["failed"] > 1
    cluster._dies = lambda kind, method: False
    evaluate(adding, model="tiny", n=4, rerankers="mean_logprob", run=options(run, resume=True))
    assert len(contents(run)[1]) == 16


def test_a_judge_of_ones_own_is_no_cluster(cluster: Named) -> None:
    from codesample import Executor, Level

    with Executor(minimum=Level.NONE) as judge, pytest.raises(ParameterError, match="beside a judge"):
        RunOptions(judge=judge, ray="auto")


@pytest.mark.parametrize("gpus", [0.0, -1.0, float("inf")])
def test_gpus_of_an_actor_are_a_positive_number(gpus: float) -> None:
    with pytest.raises(ParameterError, match="ray_gpus"):
        RunOptions(ray="auto", ray_gpus=gpus)


def test_a_server_is_asked_from_here(cluster: Named, adding, scripted_engine, tmp_path: Path) -> None:
    asked = ModelOptions("openai:some-model", base_url="http://localhost:1/v1")
    evaluate(adding, model=asked, n=2, rerankers="mean_logprob", run=options(tmp_path / "run"))
    assert {each.kind for each in cluster.actors} == {JudgingActor}
