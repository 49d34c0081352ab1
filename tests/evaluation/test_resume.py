"""A run killed at any point and resumed equals one that was never interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codesample.evaluation.comparison import compare_contents
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.observer import Observer
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.evaluation.run_contents import read_run
from codesample.records import Candidate, Verdict
from codesample.runs import RunFolder

CONFTEST = Path(__file__).parents[1] / "conftest.py"

KILLED = """
import os, runpy, signal, sys
from pathlib import Path
from codesample import RunOptions, evaluate

helpers = runpy.run_path({conftest!r})

def die(count):
    if count == {after}:
        os.kill(os.getpid(), signal.SIGKILL)

run = RunOptions(out=Path({run!r}), workers=1, allow_weak_isolation="none")
evaluate(helpers["adding_task"](), model=helpers["ScriptedEngine"](die), run=run, **{options!r})
"""


def kept(out: Path | None = None, *, resume: bool = False) -> RunOptions:
    """Where a run is kept; the weakest isolation is accepted so that any machine can run the tests."""
    return RunOptions(out=out, resume=resume, workers=1, allow_weak_isolation="none")


def contents(run: Path) -> tuple[list[Candidate], list[tuple[Any, ...]]]:
    """Return candidates and verdicts in one order, times and memory left out."""

    def outcome(verdict: Verdict) -> tuple[Any, ...]:
        return (verdict.task_id, verdict.index, verdict.status, verdict.detail, verdict.checks)

    with RunFolder.open(run) as folder:
        candidates = sorted(folder.samples(), key=lambda each: (each.task_id, each.index))
        return candidates, sorted(map(outcome, folder.verdicts().values()))


def lines(run: Path, name: str) -> int:
    file = run / name
    return file.read_bytes().count(b"\n") if file.exists() else 0


@pytest.fixture
def whole(adding, scripted_engine, options, tmp_path: Path) -> Report:
    return evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "whole"), **options)


@pytest.mark.parametrize("after", [1, 11, 23])
def test_a_killed_run_loses_and_repeats_nothing(
    after: int, whole: Report, adding, scripted_engine, options, tmp_path: Path
) -> None:
    run = tmp_path / "killed"
    script = KILLED.format(conftest=str(CONFTEST), run=str(run), after=after, options=options)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    sampled, judged = lines(run, "samples.jsonl"), lines(run, "verdicts.jsonl")
    assert sampled == after
    engine = scripted_engine()
    resumed = evaluate(adding, model=engine, run=kept(run, resume=True), **options)
    assert len(engine.asked) == whole.samples - sampled
    assert contents(run) == contents(whole.run)
    assert (lines(run, "samples.jsonl"), lines(run, "verdicts.jsonl")) == (whole.samples, whole.samples)
    assert judged <= sampled
    assert (resumed.pass_at_k, resumed.rerankers) == (whole.pass_at_k, whole.rerankers)


def test_a_line_torn_by_the_kill_is_made_again(
    whole: Report, adding, scripted_engine, options, tmp_path: Path
) -> None:
    before = contents(whole.run)
    for name, cut in (("samples.jsonl", 40), ("verdicts.jsonl", 3)):
        file = whole.run / name
        file.write_bytes(file.read_bytes()[:-cut])
    engine = scripted_engine()
    evaluate(adding, model=engine, run=kept(whole.run, resume=True), **options)
    assert engine.asked == [("adding/5", 5)]
    assert contents(whole.run) == before


def test_fewer_candidates_than_before_are_said_and_all_of_them_come_back(
    whole: Report, adding, scripted_engine, options, tmp_path: Path
) -> None:
    told: list[str] = []

    class Listening(Observer):
        def notice(self, text: str) -> None:
            told.append(text)

    said = "was asked for 6 candidates per problem before; its results are of the first 2 from now on"
    evaluate(
        adding,
        model=scripted_engine(),
        run=kept(whole.run, resume=True),
        observer=Listening(),
        **options | {"n": 2},
    )
    assert said in " ".join(told)
    assert read_run(whole.run, task=adding).unjudged == 0
    other = evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "other"), **options | {"n": 2})
    both = [read_run(each, task=adding) for each in (whole.run, other.run)]
    # of what it was asked for last
    assert "n" not in {each.name for each in compare_contents(*both).settings}
    engine = scripted_engine()
    again = evaluate(adding, model=engine, run=kept(whole.run, resume=True), **options)
    assert engine.asked == []
    assert (again.pass_at_k, again.rerankers) == (whole.pass_at_k, whole.rerankers)


def test_a_run_that_ended_early_says_what_it_lacks(adding, scripted_engine, options, tmp_path: Path) -> None:
    def stop(count: int) -> None:
        if count == 11:
            raise KeyboardInterrupt

    run = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        evaluate(adding, model=scripted_engine(stop), run=kept(run), **options)
    held = read_run(run, task=adding)
    judged = sum(len(pool.candidates) for pool in held.pools)
    assert 0 < judged <= 11
    # those that were never drawn are lacking, too
    assert held.unjudged == 24 - judged
    other = evaluate(adding, model=scripted_engine(), run=kept(tmp_path / "other"), **options)
    notices = compare_contents(held, read_run(other.run, task=adding)).notices
    left_out = f"figures leave out {24 - judged} candidates without a verdict yet"
    assert any(each.endswith(left_out) for each in notices)
