"""Shards that are merged are the run of one process; whatever is not all of one run is refused by name."""

from __future__ import annotations

import hashlib
import json
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from scored_runs import likely

from codesample.errors import RunFolderError
from codesample.evaluation.evaluate import evaluate
from codesample.evaluation.execute_samples import execute_samples
from codesample.evaluation.export_samples import export_samples
from codesample.evaluation.merging import merge_runs
from codesample.evaluation.options import RunOptions
from codesample.evaluation.report import Report
from codesample.evaluation.reranking import load_report, rerank_run
from codesample.evaluation.run_contents import read_run
from codesample.evaluation.test_options import TestOptions
from codesample.rerankers.contract import reranker
from codesample.runs import RunFolder

CONFTEST = Path(__file__).parents[1] / "conftest.py"
COUNT = 3
N = 6
TIMES = ("cpu_seconds", "wall_seconds", "peak_memory")
MAY_DIFFER = ("seconds", "tokens_per_second", "recalled", "health", "notices")


@reranker
def longest(view: Any, candidates: Any, ctx: Any) -> list[float | None]:
    """Depends on the other candidates, and notes something of two problems."""
    if view.task_id in ("adding/2", "adding/3"):
        ctx.note("has an odd length")
    most = max(len(each.completion) for each in candidates)
    return [None if each.index == 5 else len(each.completion) / most for each in candidates]


RERANKERS = ("public_examples,mean_logprob", "mean_logprob", longest, "largest_cluster")


def options(out: Path | None, *, shard: str | None = None, resume: bool = False) -> RunOptions:
    return RunOptions(
        out=out,
        shard=shard,
        resume=resume,
        workers=1,
        allow_weak_isolation="none",
        # the scripted engine writes none
        tests=TestOptions(inputs=("examples", "varied")),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a whole run, its shards, and what makes them."""
    helpers = runpy.run_path(str(CONFTEST))
    folder = tmp_path_factory.mktemp("shards")

    def run(name: str, shard: str | None = None, *, resume: bool = False, **changed: Any) -> Report:
        given = {"n": N, "rerankers": RERANKERS} | changed
        return evaluate(
            helpers["adding_task"](),
            model=helpers["ScriptedEngine"](),
            run=options(folder / name, shard=shard, resume=resume),
            **given,
        )

    whole = run("whole")
    shards = [run(f"shard-{number}", f"{number}/{COUNT}").run for number in range(1, COUNT + 1)]
    return {"whole": whole, "shards": shards, "task": helpers["adding_task"](), "run": run}


@pytest.fixture
def shards(made: dict[str, Any], tmp_path: Path) -> list[Path]:
    """Return copies of the shards that a test may spoil."""
    return [Path(shutil.copytree(each, tmp_path / each.name)) for each in made["shards"]]


@pytest.fixture
def merged(made: dict[str, Any], tmp_path: Path) -> Report:
    return merge_runs(made["shards"][::-1], tmp_path / "merged", task=made["task"])


def lines(file: Path, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    kept = [{key: value for key, value in row.items() if key not in without} for row in rows]
    return sorted(kept, key=lambda row: (row.get("task_id"), row.get("index"), str(row)))


def figures(content: dict[str, Any]) -> dict[str, Any]:
    """Return results.json without what may differ."""
    kept = {key: value for key, value in content.items() if key not in MAY_DIFFER}
    for each in kept["rerankers"].values():
        each["cost"].pop("seconds")
    return kept


def results(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "results.json").read_text())
    return found


def content_of(folder: Path) -> dict[str, str]:
    """Return every file with a digest, and when it was changed."""
    return {
        str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
        + str(each.stat().st_mtime_ns)
        for each in folder.rglob("*")
        if each.is_file()
    }


def made_once(file: Path) -> dict[str, Any]:
    found = {each["key"]: each["value"] for each in map(json.loads, file.read_text().splitlines())}
    return {
        key: {name: each for name, each in value.items() if name != "seconds"}
        if isinstance(value, dict)
        else value
        for key, value in found.items()
    }


def expect_equal(whole: Path, merged: Path) -> None:
    """Require that two runs are the same to the bit, but for times."""
    assert lines(merged / "samples.jsonl") == lines(whole / "samples.jsonl")
    assert sorted((merged / "samples.jsonl").read_bytes().splitlines()) == sorted(
        (whole / "samples.jsonl").read_bytes().splitlines()
    )
    assert lines(merged / "verdicts.jsonl", without=TIMES) == lines(whole / "verdicts.jsonl", without=TIMES)
    named = {each.relative_to(whole) for each in (whole / "scores").rglob("*")}
    assert named == {each.relative_to(merged) for each in (merged / "scores").rglob("*")}
    assert len([each for each in named if each.suffix == ".jsonl"]) == len(results(whole)["rerankers"])
    for each in named:
        if each.suffix in (".jsonl", ".members"):
            assert (merged / each).read_bytes() == (whole / each).read_bytes()
    artefacts = sorted(each.name for each in (whole / "artefacts").glob("*"))
    assert artefacts == sorted(each.name for each in (merged / "artefacts").glob("*"))
    for name in artefacts:
        assert made_once(merged / "artefacts" / name) == made_once(whole / "artefacts" / name)
    assert figures(results(merged)) == figures(results(whole))


def test_is_the_run_of_one_process(made: dict[str, Any], merged: Report) -> None:
    whole = made["whole"]
    expect_equal(whole.run, merged.run)
    assert (merged.pass_at_k, merged.oracle, merged.samples) == (whole.pass_at_k, whole.oracle, 4 * N)
    assert load_report(merged.run) == merged
    # all shards try the references that one process would try
    assert merged.health.references_tried == whole.health.references_tried == 4
    # what one process says is said, and counts of problems are those of all shards
    assert set(whole.notices) <= set(merged.notices)
    assert any("has an odd length (2 of 4 problems)" in each for each in merged.notices)
    assert merged.seconds.total == pytest.approx(
        sum(load_report(each).seconds.total for each in made["shards"]), abs=0.01
    )


def test_candidates_stand_in_the_order_of_the_problems(merged: Report) -> None:
    for name in ("samples.jsonl", "verdicts.jsonl"):
        rows = [json.loads(line) for line in (merged.run / name).read_text().splitlines()]
        assert [(each["task_id"], each["index"]) for each in rows] == [
            (f"adding/{addend}", index) for addend in (1, 2, 3, 5) for index in range(N)
        ]


def test_the_manifest_keeps_a_record_of_the_shards(made: dict[str, Any], merged: Report) -> None:
    with RunFolder.open(merged.run) as run:
        manifest = run.manifest
    assert manifest.shard is None
    assert [each["shard"] for each in manifest.shards] == ["1/3", "2/3", "3/3"]
    assert [each["problems"] for each in manifest.shards] == [2, 1, 1]
    assert [Path(each["run"]) for each in manifest.shards] == made["shards"]
    assert [each.get("shard") for each in manifest.sessions] == ["1/3", "2/3", "3/3", None]
    assert manifest.settings["candidates"] == 4 * N
    assert manifest.sessions[-1]["command"] == "merge"


def test_leaves_the_shards_as_they_are(made: dict[str, Any], tmp_path: Path) -> None:
    before = [content_of(each) for each in made["shards"]]
    merge_runs(made["shards"], tmp_path / "merged", task=made["task"])
    assert [content_of(each) for each in made["shards"]] == before
    assert [each.name for each in tmp_path.iterdir()] == ["merged"]


def test_a_shard_says_that_its_figures_are_its_own(made: dict[str, Any]) -> None:
    report = load_report(made["shards"][0])
    assert (report.shard, report.problems) == ("1/3", 2)
    assert "shard 1/3, 2 problems x 6" in str(report)
    assert any("figures of shard 1/3 alone" in each for each in report.notices)
    assert load_report(made["whole"].run).shard == ""


def test_a_merged_run_is_used_like_any_other(made: dict[str, Any], merged: Report, tmp_path: Path) -> None:
    contents = read_run(merged.run, task=made["task"])
    assert [len(pool.candidates) for pool in contents.pools] == [N] * 4
    assert contents.unjudged == 0
    again = rerank_run(merged.run, rerankers=[likely], task=made["task"], run=options(None))
    assert (again.pass_at_k, set(again.rerankers)) == (merged.pass_at_k, {*merged.rerankers, "likely"})
    assert export_samples(merged.run, "humaneval", tmp_path / "out.jsonl", task=made["task"]) == 4 * N


def test_a_merged_run_goes_on_in_one_process(
    made: dict[str, Any], merged: Report, scripted_engine: Callable[[], Any], tmp_path: Path
) -> None:
    engine = scripted_engine()
    run = options(merged.run, resume=True)
    grown = evaluate(made["task"], model=engine, n=N + 2, rerankers=RERANKERS, run=run)
    assert sorted(engine.asked) == sorted(
        (f"adding/{addend}", index) for addend in (1, 2, 3, 5) for index in (N, N + 1)
    )
    whole = made["run"](f"whole-of-{N + 2}", n=N + 2)
    assert figures(results(grown.run)) == figures(results(whole.run))


@pytest.mark.parametrize(
    ("folder", "shard", "said"),
    [
        ("merged", "1/3", "shard is '1/3', the run has None"),
        ("shard", None, "shard is None, the run has '2/3'"),
        ("shard", "1/3", "shard is '1/3', the run has '2/3'"),
        ("shard", "2/4", "shard is '2/4', the run has '2/3'"),
    ],
)
def test_goes_on_as_the_shard_that_it_is(
    folder: str,
    shard: str | None,
    said: str,
    made: dict[str, Any],
    merged: Report,
    scripted_engine: Callable[[], Any],
) -> None:
    run = options(merged.run if folder == "merged" else made["shards"][1], shard=shard, resume=True)
    with pytest.raises(RunFolderError, match=said):
        evaluate(made["task"], model=scripted_engine(), n=N, rerankers=RERANKERS, run=run)


def test_shards_that_grow_are_merged_as_they_are_then(made: dict[str, Any], tmp_path: Path) -> None:
    for number in (1, 2):
        made["run"](f"grown-{number}", f"{number}/2", n=2, rerankers=("mean_logprob",))
        made["run"](f"grown-{number}", f"{number}/2", n=4, rerankers=("mean_logprob",), resume=True)
    whole = made["run"]("grown", n=4, rerankers=("mean_logprob",))
    shards = [whole.run.with_name(f"grown-{each}") for each in (1, 2)]
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    assert figures(results(merged.run)) == figures(results(whole.run))


def test_more_shards_than_problems_leave_some_empty(made: dict[str, Any], tmp_path: Path) -> None:
    reports = [made["run"](f"of-six-{number}", f"{number}/6") for number in range(1, 7)]
    assert [each.problems for each in reports] == [1, 1, 1, 1, 0, 0]
    folders = [each.run for each in reports]
    # one more call changes nothing, and a report has nothing to show
    assert made["run"]("of-six-5", "5/6", resume=True).problems == 0
    with pytest.raises(RunFolderError, match="shard 6/6 has none of the problems; there is nothing to show"):
        load_report(folders[-1])
    for number, given in enumerate((folders, folders[:4])):
        merged = merge_runs(given, tmp_path / f"merged-{number}", task=made["task"])
        expect_equal(made["whole"].run, merged.run)
    with pytest.raises(RunFolderError, match=r"1 of 6 shards are not there: 4/6; .*--shard 4/6"):
        merge_runs(folders[:3] + folders[4:], tmp_path / "no", task=made["task"])
    with pytest.raises(RunFolderError, match="no shard has a problem"):
        merge_runs(folders[4:], tmp_path / "no", task=made["task"])


def spoilt(folder: Path, **changes: Any) -> None:
    """Change what a run says it is, its last session's settings by `settings`."""
    content = json.loads((folder / "run.json").read_text())
    last = content["sessions"][-1]
    for name, value in changes.items():
        if name in ("settings", "model", "versions", "isolation"):
            last[name] |= value
        elif name == "params":
            content["params"] |= value
        else:
            content[name] = value
    (folder / "run.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"dtype": "float32"}}, "dtype is 'float64' in 1/3"),
        ({"params": {"seed": 1}}, "seed is 0 in 1/3 .* and 1 in 2/3"),
        ({"params": {"temperature": 0.2}}, "temperature is 0.8 in 1/3 .* and 0.2 in 2/3"),
        ({"task": "other"}, "task is 'adding' in 1/3 .* and 'other' in 2/3"),
        ({"task_version": "2"}, "task_version is '1' in 1/3 .* and '2' in 2/3"),
        ({"data_hash": "other"}, "data_hash is .* and 'other' in 2/3"),
        ({"imports": ["numpy"]}, "imports is .*numpy.* in 2/3"),
        ({"settings": {"n": 5}}, "n is 6 in 1/3 .* and 5 in 2/3"),
        ({"settings": {"limit": 3}}, "limit is None in 1/3 .* and 3 in 2/3"),
        ({"settings": {"integrity": "strict"}}, "integrity is 'any' in 1/3 .* and 'strict' in 2/3"),
        ({"settings": {"k": [1]}}, r"k is \[1, 5\] in 1/3 .* and \[1\] in 2/3"),
    ],
)
def test_a_shard_of_another_run_is_refused_with_both_values(
    changes: dict[str, Any], said: str, shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    spoilt(shards[0], model={"dtype": "float64"})
    spoilt(shards[1], **{"model": {"dtype": "float64"}} | changes)
    with pytest.raises(RunFolderError, match=f"^not shards of one run: {said}"):
        merge_runs(shards, tmp_path / "merged", task=made["task"])
    assert not (tmp_path / "merged").exists()


def test_other_versions_and_levels_of_isolation_are_said(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    spoilt(shards[2], versions={"torch": "1.0"}, isolation={"level": "none"})
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    told = " ".join(merged.notices)
    assert "shards differ in version of torch: " in told
    assert "1.0 in 3/3" in told
    assert merged.isolation == "none"


@pytest.mark.parametrize("left", [(0, 1), (2,)])
def test_missing_shards_are_named(left: tuple[int, ...], made: dict[str, Any], tmp_path: Path) -> None:
    given = [made["shards"][each] for each in left]
    with pytest.raises(RunFolderError) as refused:
        merge_runs(given, tmp_path / "merged", task=made["task"])
    lacking = [f"{each + 1}/3" for each in range(3) if each not in left]
    assert f"{len(lacking)} of 3 shards are not there: {', '.join(lacking)}" in str(refused.value)
    assert f"--shard {lacking[0]}" in str(refused.value)


def test_doubled_shards_other_counts_and_whole_runs_are_refused(
    shards: list[Path], made: dict[str, Any], merged: Report, tmp_path: Path
) -> None:
    twice = shutil.copytree(shards[1], tmp_path / "twice")
    other = shutil.copytree(shards[0], tmp_path / "other")
    spoilt(other, shard="1/4")
    wrong = [
        ([*shards, twice], r"shard 2/3 is there 2 times: \S+shard-2, \S+twice; name one"),
        ([*shards, shards[0]], r"shard 1/3 is there 2 times"),
        ([*shards, other], r"shards of different counts do not fit together: 1/3 .* and 1/4 \(\S+other\)"),
        ([*shards, made["whole"].run], r"whole: holds a whole run, not a shard"),
        ([merged.run], r"merged: holds a merged run, not a shard"),
        ([*shards, tmp_path / "none"], r"none: not a run folder \(there is no such folder\)"),
        ([shards[0] / "samples.jsonl"], r"a file of a run; give its folder"),
        ([], "name all shards"),
    ]
    for given, said in wrong:
        with pytest.raises(RunFolderError, match=said):
            merge_runs(given, tmp_path / "no", task=made["task"])
    assert not (tmp_path / "no").exists()


def test_an_unfinished_shard_says_what_it_lacks_and_how_it_goes_on(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    verdicts = (shards[1] / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (shards[1] / "verdicts.jsonl").write_text("".join(verdicts[:4]) + verdicts[4][:20])
    (shards[2] / "results.json").unlink()
    with pytest.raises(RunFolderError) as refused:
        merge_runs(shards, tmp_path / "merged", task=made["task"])
    said = str(refused.value)
    assert "2 of 3 shards are not finished" in said
    assert f"2/3 ({shards[1]}): 2 of 6 candidates have no verdict (adding/2 4, adding/2 5)" in said
    assert f"3/3 ({shards[2]}): every candidate has a verdict, but scores and results" in said
    assert "--resume" in said


def test_a_candidate_of_another_shard_is_refused(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    with (shards[0] / "samples.jsonl").open("a") as file:
        file.write((shards[1] / "samples.jsonl").read_text())
    with pytest.raises(RunFolderError, match=r"samples.jsonl: holds adding/2, which shard 1/3 does not have"):
        merge_runs(shards, tmp_path / "merged", task=made["task"])


def test_scores_of_other_code_or_of_a_part_are_left_out_and_named(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    for file in (shards[1] / "scores").glob("longest.json*"):
        file.unlink()
    about = shards[2] / "scores" / "mean_logprob.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"fingerprint": "other"}))
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    assert set(merged.rerankers) == {"public_examples,mean_logprob", "largest_cluster"}
    told = " ".join(merged.notices)
    assert "no scores by longest: shard 2/3" in told
    assert "no scores by mean_logprob: its code or its parameters were others in 1/3, 2/3 than in 3/3" in told
    assert "codesample rerank RUN -r mean_logprob" in told


def test_nothing_is_written_where_there_is_something_or_into_a_shard(
    shards: list[Path], made: dict[str, Any], merged: Report, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = [content_of(each) for each in shards]
    for out, said in [
        (merged.run, "holds a run already"),
        (tmp_path / "full", "is there already and is no empty folder"),
        (tmp_path / "file", "is there already and is no empty folder"),
        (shards[0], "a shard; choose another folder"),
        (shards[0] / "inside", "a shard; choose another folder"),
    ]:
        with pytest.raises(RunFolderError, match=said):
            merge_runs(shards, out, task=made["task"])
    assert [content_of(each) for each in shards] == before
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert merge_runs(shards, tmp_path / "empty", task=made["task"]).samples == 4 * N


def test_curves_over_n_that_scored_subsets_are_joined(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    whole = Path(shutil.copytree(made["whole"].run, tmp_path / "whole"))
    for each in (whole, *shards):
        rerank_run(each, rerankers=[longest], task=made["task"], curves=True)
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    # one, two, four and all six
    assert len(merged.rerankers["longest"].curve) == 4
    assert merged.rerankers["longest"] == replace(
        load_report(whole).rerankers["longest"], cost=merged.rerankers["longest"].cost
    )
    joined = made_once(merged.run / "artefacts" / "curves.jsonl")
    assert joined.items() <= made_once(whole / "artefacts" / "curves.jsonl").items()


def test_harness_errors_give_way_to_the_verdicts_that_came_later(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    file = shards[1] / "verdicts.jsonl"
    first, *others = file.read_text().splitlines(keepends=True)
    failed = json.dumps(json.loads(first) | {"status": "harness_error", "passed": False}) + "\n"
    file.write_text(failed + first + "".join(others) + failed)
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    assert (merged.run / "verdicts.jsonl").read_text().count(first) == 1
    assert figures(results(merged.run)) == figures(results(made["whole"].run))


def test_a_shard_of_which_nothing_could_be_judged_is_part_of_the_whole(
    shards: list[Path], made: dict[str, Any], tmp_path: Path
) -> None:
    file = shards[2] / "verdicts.jsonl"
    rows = [json.loads(line) | {"status": "harness_error", "passed": False} for line in file.open()]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (shards[2] / "results.json").unlink()
    merged = merge_runs(shards, tmp_path / "merged", task=made["task"])
    assert (merged.problems, merged.harness_errors, merged.samples) == (3, N, 4 * N)
    assert merged.tokens == made["whole"].tokens
    assert any("1 problem has no candidate that could be judged" in each for each in merged.notices)


def test_recorded_samples_are_judged_in_shards_too(made: dict[str, Any], tmp_path: Path) -> None:
    rows = lines(made["whole"].run / "samples.jsonl")
    told = [
        {
            "task_id": row["task_id"],
            "completion": row["completion"],
            "passed": row["index"] < 2,
            "result": "x",
        }
        for row in rows
    ]
    file = tmp_path / "theirs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in told[:-1]))

    def executed(name: str, shard: str | None) -> Report:
        run = options(tmp_path / name, shard=shard)
        return execute_samples(file, made["task"], run=run)

    whole = executed("whole", None)
    parts = [executed(f"part-{number}", f"{number}/2").run for number in (1, 2)]
    assert load_report(parts[0]).theirs.compared == 2 * N
    merged = merge_runs(parts, tmp_path / "merged", task=made["task"])
    expect_equal(whole.run, merged.run)
    assert merged.theirs == whole.theirs
    assert merged.theirs.compared == 4 * N - 1


SAMPLED = """
import sys
from pathlib import Path
from time import sleep
from codesample import ModelOptions, RunOptions, evaluate

def sampled(out, shard, resume=False):
    run = RunOptions(
        out=Path(out), shard=shard, resume=resume, workers=1, allow_weak_isolation="none", cache=False
    )
    rerankers = ["public_examples,mean_logprob", "mbr_exec"]
    model = ModelOptions("tiny", dtype="float64")
    return evaluate("mini", limit=5, n=6, model=model, rerankers=rerankers, run=run)
"""


@pytest.mark.slow
def test_a_shard_that_is_killed_and_goes_on_makes_no_difference(tmp_path: Path) -> None:
    helpers: dict[str, Any] = {}
    exec(SAMPLED, helpers)
    sampled = helpers["sampled"]
    whole = sampled(tmp_path / "whole", None)
    shards = [tmp_path / "1", tmp_path / "2"]
    sampled(shards[0], "1/2")
    script = f"{SAMPLED}\nsampled({str(shards[1])!r}, '2/2')"
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL) as process:
        samples = shards[1] / "samples.jsonl"
        while not (samples.exists() and samples.stat().st_size):
            assert process.poll() is None
            sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (shards[1] / "results.json").exists()
    with pytest.raises(RunFolderError, match=r"1 of 2 shards are not finished: 2/2 "):
        merge_runs(shards, tmp_path / "merged")
    sampled(shards[1], "2/2", resume=True)
    merged = merge_runs(shards, tmp_path / "merged")
    expect_equal(whole.run, merged.run)
