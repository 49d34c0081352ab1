"""`codesample tasks show` and `eval --dry-run`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from codesample.cli.app import app
from codesample.cli.tasks import split_spec

MINE = [
    {
        "task_id": f"my/set/{number}",
        "prompt": f'def f():\n    """Return {number}."""\n',
        "entry_point": "f",
        "test": f"assert f() == {number}\n",
        "canonical_solution": f"    return {number}\n",
    }
    for number in (1, 2)
]


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in MINE))
    return file


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("humaneval", ("humaneval", None)),
        ("humaneval/3", ("humaneval", "3")),
        ("humaneval/HumanEval/3", ("humaneval", "HumanEval/3")),
        ("humaneval/", ("humaneval", None)),
        ("HumanEval/3", ("humaneval", "3")),
        ("MBPP_Plus/Mbpp/3", ("mbpp_plus", "Mbpp/3")),
        ("dir/tasks.py:mine", ("dir/tasks.py:mine", None)),
        ("dir/tasks.py:mine/a/b", ("dir/tasks.py:mine", "a/b")),
        ("package.module:mine/3", ("package.module:mine", "3")),
        ("humanevil/3", ("humanevil", "3")),
    ],
)
def test_a_word_is_a_task_and_a_problem(spec: str, parts: tuple[str, str | None]) -> None:
    assert split_spec(spec) == parts


@pytest.mark.parametrize(
    "words", [("mini/3",), ("mini/mini/3",), ("mini", "3"), ("mini", "mini/3"), ("Mini/3",)]
)
def test_a_problem_of_a_named_task(words: tuple[str, ...]) -> None:
    done = call("tasks", "show", *words)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("mini/3 of mini, prompts base\n")


def test_without_a_problem_the_first_is_shown() -> None:
    assert call("tasks", "show", "mini").output.startswith("mini/0 of mini")


@pytest.mark.parametrize("words", [("my/set/2",), ("2",), ("my/set", "2")])
def test_a_problem_of_ones_own_file(mine: Path, words: tuple[str, ...]) -> None:
    done = call("tasks", "show", *words, "--task-file", mine)
    assert done.output.startswith("my/set/2 of mine, prompts base\n"), done.output


def test_a_model_adds_tokens_and_json_holds_everything(mine: Path) -> None:
    done = call("tasks", "show", "1", "--task-file", mine, "--model", "tiny", "--stop", "X", "--json")
    content = json.loads(done.stdout)
    assert (content["model"], content["task_id"]) == ("tiny", "my/set/1")
    assert content["tokens"] > 5
    assert content["stop"][-1] == "X"
    assert content["found"]["program"] == MINE[0]["prompt"] + MINE[0]["canonical_solution"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("minni/3",), "did you mean 'mini'?"),
        (("mini/3000",), "'mini/0'"),
        ((), "no task; name one"),
        (("mini/3", "--model", "tiny", "--prompt", "chat"), "tiny has no chat template"),
        (("mini/3", "--model", "nowhere:x"), "unknown engine 'nowhere'"),
        (("mini/3", "--prompt", "base", "--prefill"), "prefill belongs to the chat form"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(words: tuple[str, ...], reason: str) -> None:
    done = call("tasks", "show", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_dry_run_writes_nothing(mine: Path) -> None:
    words = ["eval", "--task-file", mine, "--n", "3", "--dry-run"]
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("dry run: mine: 2 problems x 3 candidates of tiny, prompts base")
    assert "the first prompt:\nmy/set/1 of mine" in done.stdout
    content = json.loads(call(*words, "--json").stdout)
    assert (content["candidates"], content["first"]["task_id"]) == (6, "my/set/1")
    assert [path.name for path in mine.parent.iterdir()] == ["mine.jsonl"]
    assert call(*words, "--k", "7").exit_code == 2
