"""What people type: greedy runs, tables of runs, some of the problems, files where names are expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.runs import RunFolder

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
SMALL = ["--n", "2", "--max-new-tokens", "4", *SANDBOX]
PROBLEMS = [
    {
        "task_id": f"mine/{addend}",
        "prompt": f'def add(x):\n    """Return x + {addend}."""\n',
        "entry_point": "add",
        "test": f"assert add(1) == {addend + 1}\n",
        "canonical_solution": f"    return x + {addend}\n",
    }
    for addend in (1, 2, 3)
]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own with problems and samples."""
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    rows = [{"task_id": row["task_id"], "solution": row["prompt"] + "    return x + 2\n"} for row in PROBLEMS]
    (tmp_path / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str, code: int = 0) -> Any:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done


def said(*words: str) -> str:
    """Return the one line that a refused call prints."""
    done = call(*words, code=2)
    (line,) = done.stderr.splitlines()
    assert (done.stdout, line[:7]) == ("", "error: ")
    return line


def result(*words: str) -> Any:
    return json.loads(call(*words, "--json").stdout)


def sampled(run: str) -> set[tuple[str, int]]:
    with RunFolder.open(Path(run)) as folder:
        return set(folder.sampled)


def test_greedy_is_one_candidate_at_temperature_0() -> None:
    given = ["eval", "--task-file", "mine.jsonl", "--max-new-tokens", "4", *SANDBOX]
    found = result(*given, "--greedy", "--out", "greedy")
    assert (found["n"], found["samples"], list(found["pass_at_k"])) == (1, 3, ["1"])
    with RunFolder.open(Path("greedy")) as run:
        assert (run.manifest.params.temperature, run.manifest.n) == (0, 1)
    spelt_out = result(*given, "--temperature", "0", "--n", "1", "--out", "spelt out")
    assert found["pass_at_k"] == spelt_out["pass_at_k"]
    # said twice is no contradiction
    assert result(*given, "--greedy", "--n", "1", "--temperature", "0.0")["n"] == 1


@pytest.mark.parametrize(
    ("words", "other"),
    [(["--n", "5"], "--n 5"), (["-n", "32"], "--n 32"), (["--temperature", "0.8"], "--temperature 0.8")],
)
@pytest.mark.parametrize("command", [["eval", "mini"], ["sample", "def f"]])
def test_greedy_beside_what_says_otherwise_is_refused(
    command: list[str], words: list[str], other: str
) -> None:
    assert said(*command, "--greedy", *words).startswith(
        f"error: --greedy draws one candidate per problem at temperature 0, and {other} says otherwise"
    )


def test_a_greedy_run_has_no_pass_at_10() -> None:
    assert "k = 10 with n = 1" in said("eval", "mini", "--greedy", "--k", "1,10")


def test_temperature_0_draws_one_candidate_and_says_so() -> None:
    words = ["eval", "--task-file", "mine.jsonl", "--temperature", "0", *SMALL, "--out", "run", "--json"]
    done = call(*words)
    assert json.loads(done.stdout)["n"] == 1
    notice = "temperature 0: one candidate of each prompt is drawn, for all 2 would be equal"
    assert f"notice: {notice}" in done.stderr.splitlines()
    assert "k = 2 with n = 1" in (line := said(*words[:-3], "--k", "2"))
    assert line.endswith(notice)


def test_temperature_0_draws_one_candidate_of_a_prompt_too() -> None:
    done = call("sample", "def f(x):\n", "--temperature", "0", "--n", "3", "--max-new-tokens", "2")
    assert len(done.stdout.splitlines()) == 1


def test_a_report_as_json_says_where_its_run_is() -> None:
    found = result("eval", "--task-file", "mine.jsonl", *SMALL)
    assert (Path(found["run"]) / "run.json").is_file()
    assert result("report", found["run"]) == found


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--limit", "2"], [1, 2]),
        (["--limit", "2-3"], [2, 3]),
        (["--ids", "3,1"], [1, 3]),
        (["--ids", "mine/3", "--ids", "MINE/1"], [1, 3]),
        (["--ids", "2-9", "--limit", "1"], [2]),
    ],
)
def test_every_command_takes_some_of_the_problems(words: list[str], numbers: list[int]) -> None:
    ids = {f"mine/{number}" for number in numbers}
    task = ["--task-file", "mine.jsonl", *words]
    call("eval", *task, *SMALL, "--out", "run")
    assert sampled("run") == {(each, index) for each in ids for index in range(2)}
    lines = call("sample", *task, "--n", "1", "--max-new-tokens", "2").stdout.splitlines()
    assert {json.loads(line)["task_id"] for line in lines} == ids
    judged = result("execute", "samples.jsonl", *task, *SANDBOX, "--out", "judged")
    assert (judged["problems"], judged["samples"]) == (len(ids), len(ids))
    assert judged["pass_at_k"]["1"]["value"] == pytest.approx((2 in numbers) / len(ids))
    assert result("tasks", "verify", *task, *SANDBOX)["passed"] == len(ids)
    # the run finds the same problems again
    for run in ("run", "judged"):
        again = result("rerank", run, "-r", "public_examples", *SANDBOX)
        assert again["problems"] == len(ids)
        assert result("report", run, "--integrity", "any")["problems"] == len(ids)


def test_more_problems_of_a_run_are_gone_on_with() -> None:
    words = ["eval", "--task-file", "mine.jsonl", *SMALL, "--out", "run"]
    call(*words, "--ids", "2")
    assert result(*words, "--ids", "2-3", "--resume")["samples"] == 4
    assert result("rerank", "run", "-r", "mean_logprob")["samples"] == 4


@pytest.mark.parametrize("command", [["eval"], ["sample"], ["execute", "samples.jsonl"], ["tasks", "verify"]])
def test_an_id_that_the_task_does_not_have_is_named_with_a_near_one(command: list[str]) -> None:
    line = said(*command, "--task-file", "mine.jsonl", "--ids", "mine/33,2")
    assert "ids 'mine/33' (did you mean 'mine/3'?): not among the 3 problems of mine" in line


def test_samples_of_none_of_the_problems_that_are_meant_are_refused() -> None:
    (Path("samples.jsonl")).write_text(json.dumps({"task_id": "mine/1", "completion": "    return 1\n"}))
    line = said("execute", "samples.jsonl", "--task-file", "mine.jsonl", "--ids", "2-3")
    assert line.endswith("holds no samples of the problems that are meant")


def test_ids_belong_to_a_task() -> None:
    assert "--ids 3: belongs to a task" in said("sample", "def f", "--ids", "3")


def test_several_of_everything_make_a_table_of_runs() -> None:
    Path("yours.jsonl").write_text(Path("mine.jsonl").read_text())
    words = ["eval", "--task-file", "mine.jsonl", "--task-file", "yours.jsonl", "--ids", "1"]
    heats = ["--temperature", "0.2,0.8", "--temperature", "0"]
    done = call(*words, *heats, *SMALL, "--out", "table", "--json")
    rows = json.loads(done.stdout)
    assert [(row["task"], row["temperature"], row["n"]) for row in rows] == [
        (task, heat, 1 if heat == 0 else 2) for task in ("mine", "yours") for heat in (0.2, 0.8, 0.0)
    ]
    assert {Path(row["run"]).parent for row in rows} == {Path("table")}
    assert "run 6 of 6: yours, tiny, temperature 0" in done.stderr.splitlines()
    assert result("report", "table") == rows
    shown = call("report", "table")
    assert "tiny, prompt base, 6 runs" in shown.stdout
    # a run of the table is a run like any other
    assert result("report", rows[0]["run"])["pass_at_k"] == rows[0]["pass_at_k"]
    # going on with a part of it touches the rest of it not
    again = call(
        *words[:3], "--ids", "1", "--temperature", "0.2", *SMALL, "--out", "table", "--resume", "--json"
    )
    assert json.loads(again.stdout) == rows[:1]
    assert len(result("report", "table")) == 6


def test_a_model_that_is_none_is_told_before_the_first_run() -> None:
    words = ["eval", "--task-file", "mine.jsonl", "--limit", "1", *SMALL, "--out", "untold"]
    done = call(*words, "--model", "tiny", "--model", "tinny", code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: unknown model 'tinny'; did you mean 'tiny'?")
    assert not Path("untold").exists()


def test_one_that_fails_is_named_in_the_end_and_gone_on_with() -> None:
    Path("broken").mkdir()
    Path("broken", "config.json").write_text('{"model_type": "none"}')
    words = ["eval", "--task-file", "mine.jsonl", "--limit", "1", *SMALL, "--out", "table"]
    done = call(*words, "--model", "./broken", "--model", "tiny", code=2)
    assert "failed" in done.stdout
    *_, named, advice = done.stderr.splitlines()
    assert named.startswith("error: mine, ./broken, temperature 0.8: ")
    assert advice == "go on with: codesample " + " ".join(
        [*words, "--model", "./broken", "--model", "tiny", "--resume"]
    )
    found = json.loads(call("report", "table", "--json", code=2).stdout)
    assert [set(row) >= {"error", "run"} for row in found] == [True, False]


def test_a_table_without_a_folder_gets_one() -> None:
    words = ["eval", "--task-file", "mine.jsonl", "--limit", "1", "--temperature", "0.2,0.8", *SMALL]
    rows = result(*words)
    (folder,) = {Path(row["run"]).parent for row in rows}
    assert folder.parent == Path("runs")
    assert folder.name.startswith("table-")


def test_an_interrupted_table_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("codesample.evaluation.run_table.carry_out", interrupted)
    words = ["eval", "--task-file", "mine.jsonl", "--limit", "1", "--temperature", "0.2,0.8", *SMALL]
    done = call(*words, "--out", "table", code=130)
    assert done.stderr.splitlines()[-3:] == [
        "interrupted",
        "everything finished is kept in table",
        f"go on with: codesample {' '.join(words)} --out table --resume",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["eval", "mini", "minni"], "unknown task 'minni'; did you mean 'mini'?"),
        (["eval", "mini,minni"], "unknown task 'minni'; did you mean 'mini'?"),
        (["eval", "mini", "--model", "tiny", "--model", "engin:x"], "unknown engine 'engin'"),
        (["eval", "mini", "--temperature", "0.2", "--temperature", "-1"], "temperature = -1.0"),
        (["eval", "mini", "humaneval", "--data", "x.jsonl"], "--data x.jsonl: expected TASK=FILE"),
        (["eval", "--task-file", "mine.jsonl", "--data", "x.jsonl"], "only a named task reads its data"),
        (["eval", "mini", "--task-file", "mine.jsonl"], "expected one of the two"),
        (["eval", "mini", "humaneval", "--data", "mbpp=x.jsonl"], "--data mbpp=x.jsonl: expected TASK=FILE"),
        (["eval", "mini", "--n", "2", "--temperature", "0,1", "--k", "2"], "k = 2 with n = 1"),
        (
            ["eval", "mini", "--temperature", "0.2,0.8", "--out", "absent", "--resume"],
            "holds no table of runs",
        ),
        (
            ["eval", "mini.jsonl"],
            "mini.jsonl: a file is no task; problems of your own: --task-file mini.jsonl",
        ),
        (["eval", "absent.py"], "absent.py: no such file"),
        (["eval", "mini", "-r", "absent.py"], "absent.py: no such file"),
        (["eval", "mini", "--device", "mps"], "device = 'mps': this machine shows no Apple MPS device"),
        (["eval", "mini", "--device", "gpu"], "device = 'gpu': expected auto, cpu, cuda, cuda:N, xpu"),
    ],
)
def test_what_is_refused_of_a_table_is_refused_before_anything_is_written(
    words: list[str], message: str, place: Path
) -> None:
    before = sorted(place.rglob("*"))
    assert message in said(*words)
    assert sorted(place.rglob("*")) == before


def test_each_task_of_a_table_has_data_of_its_own() -> None:
    Path("tasks.py").write_text(
        "from codesample.tasks.user import user_task\n"
        "def one(data): return user_task(data)\n"
        "def two(data): return user_task(data)\n"
    )
    Path("yours.jsonl").write_text(json.dumps(PROBLEMS[0]) + "\n")
    data = ["--data", "tasks.py:one=mine.jsonl", "--data", "tasks.py:two=yours.jsonl"]
    rows = result("eval", "tasks.py:one", "tasks.py:two", *data, "--limit", "1", *SMALL)
    assert [row["task"] for row in rows] == ["mine", "yours"]


def test_a_file_of_rerankers_or_tasks_says_what_it_defines() -> None:
    Path("ideas.py").write_text(
        "from codesample import reranker\n"
        "@reranker\ndef short(view, candidates, ctx): return [0.0 for _ in candidates]\n"
        "@reranker\ndef long(view, candidates, ctx): return [0.0 for _ in candidates]\n"
    )
    line = said("eval", "mini", "-r", "ideas.py")
    assert line.endswith("of which one reranker is to be named; it defines: ideas.py:short, ideas.py:long")
    Path("mine.py").write_text("from codesample import Task\nbest = Task('b', '1', 'me', (), 8, load=list)\n")
    assert said("eval", "mine.py").endswith("FILE.py:NAME; it defines: mine.py:best")
    Path("empty.py").touch()
    assert "it defines: none; decorate one with @reranker" in said("eval", "mini", "-r", "empty.py")
    assert "it defines: no Task" in said("eval", "empty.py")


def test_a_run_whose_problems_have_moved_is_scored_again_with_their_new_place() -> None:
    call("eval", "--task-file", "mine.jsonl", *SMALL, "--out", "run")
    Path("mine.jsonl").rename("moved.jsonl")
    line = said("rerank", "run", "-r", "mean_logprob")
    assert "its problems are no longer at" in line
    assert line.endswith("name their file: --data FILE")
    # the file's name is the task's name, and not what the problems are
    assert result("rerank", "run", "-r", "mean_logprob", "--data", "moved.jsonl")["samples"] == 6
