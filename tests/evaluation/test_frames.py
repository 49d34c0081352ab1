"""Reports and runs as data frames: a row for each figure or candidate, with nothing lost."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from codesample.errors import ParameterError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.evaluation.run_contents import RunContents, read_run
from codesample.tasks.contract import Task

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    from codesample.evaluation.intervals import Estimate
    from codesample.evaluation.report import Seconds, Selection

    half = Estimate(0.5, 0.25, 0.75)
    return Report(
        task="mini",
        model="tiny",
        problems=4,
        n=6,
        n_max=6,
        samples=24,
        pass_at_k={1: half, 5: Estimate(0.75, 0.5, 1.0)},
        parts={"base": {1: Estimate(0.6, 0.5, 0.7)}, "plus": {1: half}},
        rerankers={"near": Selection(half, Estimate(0.5, 0.1, 0.9)), "none": Selection(half, None)},
        random=half,
        oracle=Estimate(1.0, 1.0, 1.0),
        seconds=Seconds(1.0, 1.0, 1.0),
        tokens=1,
        tokens_per_second=None,
        statuses={"passed": 24},
        isolation="confined",
        notices=(),
        run=tmp_path_factory.mktemp("run"),
    )


def test_a_report_is_a_row_for_each_figure(report: Report) -> None:
    frame = report.to_pandas()
    assert list(zip(frame["figure"], frame["k"], frame["by"], frame["part"], strict=True)) == [
        ("pass@k", 1, "", ""),
        ("pass@k", 5, "", ""),
        ("pass@k", 1, "", "base"),
        ("best of n", 6, "random", ""),
        ("best of n", 6, "near", ""),
        ("best of n", 6, "none", ""),
        ("best of n", 6, "oracle", ""),
    ]
    row = frame[frame["by"] == "near"].iloc[0]
    assert (row["value"], row["low"], row["high"], row["gap_closed"]) == (0.5, 0.25, 0.75, 0.5)
    assert math.isnan(frame[frame["by"] == "none"]["gap_closed"].iloc[0])


@pytest.fixture
def contents(judged_run: Path) -> RunContents:
    return read_run(judged_run)


def test_a_run_is_a_row_for_each_candidate(contents: RunContents) -> None:
    frame = contents.to_pandas()
    assert len(frame) == 12
    assert list(frame.columns[-2:]) == ["score:even,more", "score:near"]
    for (_, row), (pool, at) in zip(
        frame.iterrows(), [(pool, at) for pool in contents.pools for at in range(4)], strict=True
    ):
        candidate, verdict = pool.candidates[at], pool.verdicts[at]
        assert (row["task_id"], row["index"]) == (candidate.task_id, candidate.index)
        assert (row["completion"], row["program"]) == (candidate.completion, candidate.program)
        assert (row["status"], row["passed"], row["detail"]) == (
            verdict.status,
            verdict.passed,
            verdict.detail,
        )
        assert row["tokens"] == len(candidate.token_ids or ())
        assert row["sum_logprob"] == pytest.approx(sum(candidate.logprobs or ()))
        assert row["mean_logprob"] == pytest.approx(row["sum_logprob"] / row["tokens"])
        score = contents.scores["near"][candidate.task_id][at]
        assert row["score:near"] == score if score is not None else math.isnan(row["score:near"])


def test_a_frame_says_what_the_report_says(
    tmp_path: Path, adding: Task, scripted_engine: Callable[[], object]
) -> None:
    run = RunOptions(out=tmp_path / "run", workers=1, allow_weak_isolation="none")
    made = evaluate(adding, model=scripted_engine(), n=4, rerankers="mean_logprob", run=run)  # type: ignore[arg-type]
    frame = read_run(tmp_path / "run", task=adding).to_pandas()
    share = frame.groupby("task_id")["passed"].mean()
    assert share.mean() == pytest.approx(made.pass_at_k[1].value)
    best = frame.loc[frame.groupby("task_id")["score:mean_logprob"].idxmax()]
    assert best["passed"].mean() == pytest.approx(made.rerankers["mean_logprob"].best_of_n.value)


def test_what_is_not_known_is_missing_and_odd_texts_stay(
    judged_run: Path, written_run: Callable[..., Path], tmp_path: Path
) -> None:
    texts = {("mine/1", 0): "\ud800\x00\u202e", ("mine/1", 1): ""}
    contents = read_run(written_run(tmp_path / "odd", tmp_path / "mine.jsonl", texts))
    frame = contents.to_pandas()
    assert list(frame["completion"][:2]) == ["\ud800\x00\u202e", ""]
    assert math.isnan(frame["mean_logprob"][1])
    assert frame["tokens"][1] == 0
    again = pandas.read_json(StringIO(frame[2:].to_json(orient="records")), orient="records", dtype=False)
    assert list(again["completion"]) == list(frame["completion"][2:])
    assert list(again["passed"]) == list(frame["passed"][2:])
    dataset = contents.to_dataset()
    assert dataset.num_rows == 12
    assert dataset.column_names == list(frame.columns)
    assert dataset[0]["completion"] == "\ufffd\x00\u202e"
    assert dataset[2]["completion"] == frame["completion"][2]
    assert dataset[3]["score:near"] is None or math.isnan(dataset[3]["score:near"])


def test_without_pandas_the_error_names_what_to_install(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ParameterError, match=r"pip install 'codesample\[pandas\]'"):
        report.to_pandas()
