"""Commands end to end, as a user calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from warm_commands import call, refusal

from codesample.tasks.registry import load_task_file

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
TOO_LONG = "x" * 300
PROBLEMS = [
    {
        "task_id": f"mine/{addend}",
        "prompt": f'def add(x):\n    """Return x + {addend}.\n\n    >>> add(0)\n    {addend}\n    """\n',
        "entry_point": "add",
        "test": f"assert add(1) == {addend + 1}\n",
        "canonical_solution": f"    return x + {addend}\n",
    }
    for addend in (1, 2)
]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "mine.jsonl", PROBLEMS)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    rows = [
        {"task_id": f"mine/{addend}", "completion": f"    return x + {given}\n"}
        for addend in (1, 2)
        for given in (1, 2, 3)
    ]
    return write_lines(tmp_path / "samples.jsonl", rows)


def test_execute_then_rerank_then_report(problems: Path, samples: Path, tmp_path: Path) -> None:
    given = ["--task-file", problems, "--out", "run", *SANDBOX]
    done = call("execute", samples, *given, "--k", "1,3", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert {k: round(v["value"], 3) for k, v in content["pass_at_k"].items()} == {"1": 0.333, "3": 1.0}
    # results.json does not say where it is, for it may be moved
    assert content == json.loads((tmp_path / "run" / "results.json").read_text()) | {"run": "run"}
    assert "run folder run: 2 problems, 6 candidates" in done.stderr

    again = call("rerank", "run", "-r", "public_examples", *SANDBOX, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rerankers"]["public_examples"]["best_of_n"]["value"] == 1.0

    shown = call("report", "run", cwd=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "by public_examples" in shown.stdout


def test_tasks_verify_passes_sound_references(problems: Path, tmp_path: Path) -> None:
    done = call("tasks", "verify", "--task-file", problems, *SANDBOX, cwd=tmp_path)
    content = load_task_file(problems).fingerprint()
    assert (done.returncode, done.stdout) == (
        0,
        f"mine: 2 of 2 reference solutions pass\njudged: 2 split\ncontent: sha256 {content}\n",
    )


def test_tasks_verify_names_a_broken_reference(tmp_path: Path) -> None:
    rows = [PROBLEMS[0], {**PROBLEMS[1], "canonical_solution": "    return x\n"}]
    file = write_lines(tmp_path / "mine.jsonl", rows)
    done = call("tasks", "verify", "--task-file", file, *SANDBOX, cwd=tmp_path)
    content = load_task_file(file).fingerprint()
    assert (done.returncode, done.stdout) == (
        1,
        f"mine: 1 of 2 reference solutions pass\njudged: 2 split\ncontent: sha256 {content}\n",
    )
    assert done.stderr.startswith("mine/2: wrong")


def test_tasks_verify_is_content_without_references_and_not_with_tests_that_test_nothing(
    tmp_path: Path,
) -> None:
    rows = [{key: value for key, value in row.items() if key != "canonical_solution"} for row in PROBLEMS]
    file = write_lines(tmp_path / "mine.jsonl", rows)
    done = call("tasks", "verify", "--task-file", file, *SANDBOX, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine: there are no reference solutions\n")
    assert "note: no reference: mine/1, mine/2: nothing shows" in done.stdout
    rows[1]["test"] = "add(1)\n"
    done = call("tasks", "verify", "--task-file", write_lines(file, rows), *SANDBOX, cwd=tmp_path)
    assert done.returncode == 1
    assert "FAULT: tests that test nothing: mine/2: a function that returns None passes them" in done.stdout


def test_tasks_verify_lists_forms_and_the_names_that_tests_take_from_the_program(tmp_path: Path) -> None:
    helped = {
        "prompt": "from math import isclose\n\ndef add(x):\n",
        "test": "assert helper(1) == add(1) - limit()\nassert isclose(add(1), 2) and math.pi\n",
        "canonical_solution": "    return x + 1\n\ndef limit():\n    return 1\n\nhelper = int\n",
    }
    file = write_lines(
        tmp_path / "mine.jsonl", [{**PROBLEMS[0], **helped}, {**PROBLEMS[1], "in_process": True}]
    )
    words = ["tasks", "verify", "--task-file", file, *SANDBOX]
    content = load_task_file(file).fingerprint()
    cut = "the stop '\\ndef' occurs in the reference"
    assert call(*words, cwd=tmp_path).stdout.splitlines() == [
        "mine: 2 of 2 reference solutions pass",
        "judged: 1 split, 1 weak",
        "  mine/2: weak: asked for by the tests",
        "tests of 1 problems take more from the program than the function asked for:",
        "  mine/1: helper, limit",
        f"content: sha256 {content}",
        f"note: references that a stop cuts: mine/1: {cut}",
    ]
    assert json.loads(call(*words, "--json", cwd=tmp_path).stdout) == {
        "task": "mine",
        "passed": 2,
        "failed": [],
        "missing": [],
        "lacking": {},
        "forms": {"split": 1, "weak": 1},
        "weak": {"mine/2": "asked for by the tests"},
        "names": {"mine/1": ["helper", "limit"]},
        "content": content,
        "findings": [
            {"kind": "references that a stop cuts", "problems": ["mine/1"], "text": cut, "fault": False}
        ],
    }


@pytest.mark.parametrize("kind", ["tasks", "rerankers"])
def test_list_prints_one_name_per_line(kind: str, tmp_path: Path) -> None:
    done = call("list", kind, cwd=tmp_path)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert names == sorted(names)
    assert {"tasks": "mini", "rerankers": "mean_logprob"}[kind] in names
    assert list(json.loads(call("list", kind, "--json", cwd=tmp_path).stdout)) == names


def test_the_built_in_model_is_listed(tmp_path: Path) -> None:
    assert "tiny" in json.loads(call("list", "models", "--json", cwd=tmp_path).stdout)


def test_doctor_states_the_isolation_it_found(tmp_path: Path) -> None:
    found = json.loads(call("doctor", "--json", cwd=tmp_path).stdout)
    assert found["isolation"]["level"] in {"none", "limited", "confined", "namespaced"}
    assert found["versions"]["torch"]
    assert "isolation" in call("doctor", cwd=tmp_path).stdout


@pytest.mark.slow
def test_bench_step_prints_a_row_per_cell(tmp_path: Path) -> None:
    words = ["bench", "step", "--model", "tiny", "--n", "1,2", "--context", "16", "--repeats", 1]
    done = call(*words, "--device", "cpu", "--dtype", "float32", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split(" | ")[1] for line in done.stdout.splitlines()[2:]] == ["1", "2"]


@pytest.mark.slow
def test_bench_gpu_rehearses_all_of_it_and_prints_the_summary(tmp_path: Path) -> None:
    done = call("bench", "gpu", "--rehearse", "--out", "card", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "card" / "summary.md").read_text()
    assert done.stdout.startswith("# Rehearsal: CPU (")
    assert "check: sampler, bfloat16, prompts of (40, 7) tokens: passed" in done.stderr


@pytest.mark.slow
def test_bench_gpu_without_time_for_its_checks_times_nothing_and_says_so(tmp_path: Path) -> None:
    done = call("bench", "gpu", "--rehearse", "--out", "card", "--minutes", 0.01, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"\b0 of ([1-9]\d*) checks passed, \1 had no time\.", done.stdout), done.stdout
    rows = [json.loads(line) for line in (tmp_path / "card" / "rows.jsonl").read_text().splitlines()]
    assert not any("took_seconds" in row for row in rows)


@pytest.mark.slow
def test_bench_execution_prints_a_row_per_way(tmp_path: Path) -> None:
    done = call("bench", "execution", "--count", 4, "--rounds", 1, "--out", "rows.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(done.stdout.splitlines()) == 2 + len(rows)
    assert {row["count"] for row in rows} == {4}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["eval"], "name one (list them: codesample list tasks)"),
        (["eval", "minni"], "did you mean 'mini'?"),
        (["eval", "mini", "-r", "mean_logprobs"], "did you mean 'mean_logprob'?"),
        (["eval", "mini", "-r", "absent.py:score"], "absent.py: no such file"),
        (["eval", "mini", "--model", "tinny"], "did you mean 'tiny'?"),
        (["eval", "mini", "--n", "4", "--k", "1,5"], "k = 5 with n = 4"),
        (["eval", "mini", "--n", "0"], "n = 0"),
        (["eval", "mini", "--k", "one"], "--k one: expected whole numbers"),
        (["eval", "mini", "--resume"], "--out RUN --resume"),
        (["eval", "mini", "--resume", "--out", "absent"], "not a run folder"),
        (["eval", "mini", "--temperature", "-1"], "temperature = -1.0"),
        (["eval", "mini", "--allow-weak-isolation", "nine"], "Levels: none, limited"),
        (["eval", "mini", "--task-file", "x.jsonl"], "expected one of the two"),
        (["eval", "mini", "--out", "/proc/absent/run"], "cannot be written"),
        (["eval", "mini", "--out", TOO_LONG], "File name too long; choose another"),
        (["eval", "mini", "--out", TOO_LONG, "--resume"], "cannot be read: File name too long"),
        (["eval", "mini", "--model", TOO_LONG], "cannot be looked at: File name too long"),
        (["eval", "humaneval", "--data", "absent.jsonl"], "absent.jsonl: there is no such file or folder"),
        (["eval", "--task-file", "broken.jsonl"], "broken.jsonl:2: not JSON"),
        (["sample"], "exactly one of PROMPT"),
        (["sample", "def f", "--task", "mini"], "exactly one of PROMPT"),
        (["sample", ""], "the prompt is empty"),
        (["sample", "../asked.py"], "give --prompt-file ../asked.py"),
        (["sample", "asked.txt"], "give --prompt-file asked.txt"),
        (["sample", "--prompt-file", "absent.txt"], "absent.txt: cannot be read"),
        (["sample", "def f", "--out", "broken.jsonl"], "exists already"),
        (["sample", "def f", "--n", "0"], "n = 0"),
        (["sample", "def f", "--max-new-tokens", "0"], "max_new_tokens = 0"),
        (["sample", "def f", "--limit", "3"], "--limit 3: belongs to a task"),
        (["sample", "def f", "--data", "x.jsonl"], "--data x.jsonl: belongs to a task"),
        (["sample", "def f", "--model", "tinny", "--out", "drawn.jsonl"], "did you mean 'tiny'?"),
        (["execute", "absent.jsonl", "--task", "mini"], "absent.jsonl: there is no such file or folder"),
        (["execute", "broken.jsonl", "--task", "mini"], "broken.jsonl: holds problems, not samples"),
        (["bench", "decode", "--shape", "0.1b-mhaa"], "did you mean '0.1b-mha'?"),
        (["bench", "decode", "--dtype", "float33"], "dtype = 'float33'"),
        (["bench", "attention", "--model", "mistrl-7b"], "did you mean 'mistral-7b'?"),
        (["bench", "attention", "--n", "1;2"], "--n 1;2: expected whole numbers"),
        (["bench", "fit", "broken.jsonl"], "broken.jsonl:2: not JSON"),
        (["bench", "gpu", "--rehearse", "--out", "broken.jsonl/rows"], "rows cannot be written there"),
        (["bench", "gpu", "--rehearse", "--out", "rows", "--minutes", "0"], "--minutes 0.0: expected more"),
        (["rerank", "absent"], "not a run folder"),
        (["report", "absent"], "not a run folder (there is no such folder); expected what `codesample eval`"),
        (["report", TOO_LONG], "cannot be read: File name too long"),
        (["list", "nothing"], "'kind': 'nothing' is not one of 'tasks', 'rerankers', 'engines'"),
        (["tasks", "verify", "minni"], "did you mean 'mini'?"),
        (["no-such-command"], "--help"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_is_refused_is_one_line_with_the_next_step(
    words: list[str], message: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.jsonl").write_text(json.dumps(PROBLEMS[0]) + "\n{\n")
    assert message in refusal(*words, cwd=tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["broken.jsonl"]


def test_a_hub_out_of_reach_is_refused_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    assert "--data FILE" in refusal("eval", "humaneval", cwd=tmp_path)
    assert "or give its folder" in refusal("eval", "mini", "--model", "owner/absent", cwd=tmp_path)


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    from codesample import __version__

    assert call("--version", cwd=tmp_path).stdout == f"codesample {__version__}\n"


def test_modules_are_granted_by_their_names(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    counting = "    import numpy\n    return int(numpy.add(x, 1))\n"
    problems = write_lines(tmp_path / "mine.jsonl", [{**PROBLEMS[0], "canonical_solution": counting}])
    words = ["tasks", "verify", "--task-file", problems, *SANDBOX]
    assert call(*words, cwd=tmp_path).returncode == 1
    assert call(*words, "--imports", "json,numpy", cwd=tmp_path).returncode == 0
    samples = write_lines(tmp_path / "samples.jsonl", [{"task_id": "mine/1", "completion": counting}])
    run = ["execute", samples, "--task-file", problems, *SANDBOX, "--out", "run"]
    assert "imports numpi: not among the packages" in refusal(*run, "--imports", "numpi", cwd=tmp_path)
    done = call(*run, "--imports", "json", "--imports", "numpy", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["statuses"] == {"passed": 1}


def test_weak_passes_are_counted_and_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = [PROBLEMS[0], {**PROBLEMS[1], "in_process": True}]
    problems = write_lines(tmp_path / "mine.jsonl", rows)
    right = [{"task_id": f"mine/{n}", "completion": f"    return x + {n}\n"} for n in (1, 2)]
    wrong = {"task_id": "mine/2", "completion": "    return x\n"}
    samples = write_lines(tmp_path / "samples.jsonl", [*right, wrong])
    given = ["execute", samples, "--task-file", problems, *SANDBOX]
    counts = {"split": {"verdicts": 1, "passed": 1}, "weak": {"verdicts": 2, "passed": 1}}

    plain = call(*given, "--out", "plain", cwd=tmp_path)
    assert plain.returncode == 0, plain.stderr
    assert "weak verdicts: 2, of them 1 passed; --integrity strict leaves these out" in plain.stdout

    done = call(*given, "--out", "strict", "--integrity", "strict", "--json", cwd=tmp_path)
    strict = json.loads(done.stdout)
    assert (strict["strict"], strict["integrity"], strict["pass_at_k"]["1"]["value"]) == (True, counts, 0.5)
    record = json.loads((tmp_path / "strict" / "run.json").read_text())
    assert record["sessions"][0]["settings"]["integrity"] == "strict"

    def told(*words: object) -> tuple[Any, ...]:
        content = json.loads(call(*words, "--json", cwd=tmp_path).stdout)
        return content["strict"], content["pass_at_k"]["1"]["value"], content["seconds"], content["integrity"]

    before = (tmp_path / "plain" / "results.json").read_bytes()
    seconds = json.loads(before)["seconds"]
    assert told("report", "plain") == (False, 0.75, seconds, counts)
    assert told("report", "plain", "--integrity", "strict") == (True, 0.5, seconds, counts)
    assert (tmp_path / "plain" / "results.json").read_bytes() == before
    assert told("report", "strict", "--integrity", "any")[:2] == (False, 0.75)
    # a run is scored again as it was counted, unless another way is named
    assert told("rerank", "strict", "-r", "public_examples", *SANDBOX)[:2] == (True, 0.5)
    assert told("rerank", "plain", "-r", "public_examples", *SANDBOX, "--integrity", "strict")[:2] == (
        True,
        0.5,
    )
    assert "integrity = 'strickt': expected" in refusal(
        "report", "plain", "--integrity", "strickt", cwd=tmp_path
    )
