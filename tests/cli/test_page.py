"""`codesample report --html` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warm_commands import call

SANDBOX = ["--workers", "1", "--allow-weak-isolation", "none"]
PROBLEM = {
    "task_id": "mine/1",
    "prompt": 'def add(x):\n    """Return x + 1."""\n',
    "entry_point": "add",
    "test": "assert add(1) == 2\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of three recorded samples, in run/."""
    folder = tmp_path_factory.mktemp("folder")
    (folder / "mine.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    rows = [{"task_id": "mine/1", "completion": f"    return x + {added}\n"} for added in range(3)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ("--task-file", "mine.jsonl", "--out", "run", *SANDBOX)
    done = call("execute", "samples.jsonl", *given, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_page_stands_in_the_run_or_where_it_is_wanted(folder: Path) -> None:
    done = call("report", "run", "--html", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("page        run/report.html (")
    assert "1 problem × 3 candidates" in (folder / "run" / "report.html").read_text()
    done = call("report", "run", "--html", "mine.html", "--json", cwd=folder)
    assert json.loads(done.stdout) == {"page": "mine.html"}
    assert "recorded samples" in (folder / "mine.html").read_text()
    # the run itself is as it was
    done = call("report", "run", "--json", cwd=folder)
    assert json.loads(done.stdout)["samples"] == 3


def test_the_page_can_count_anew(folder: Path) -> None:
    done = call("report", "run", "--html", "strict.html", "--integrity", "strict", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "passes that a program could have faked count in no figure" in (folder / "strict.html").read_text()


def test_a_greedy_run_stands_beside_on_the_page(folder: Path) -> None:
    """Recorded samples, one of a problem, are taken as greedy."""
    row = {"task_id": "mine/1", "completion": "    return x + 1\n"}
    (folder / "one.jsonl").write_text(json.dumps(row) + "\n")
    done = call("execute", "one.jsonl", "--task-file", "mine.jsonl", "--out", "one", *SANDBOX, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = call("report", "run", "--html", "greedy.html", "--greedy", "one", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "greedy.html").read_text()
    assert '<th scope="row">greedy (pass@1 of one)</th><td class="number">1.000</td>' in page
    assert "one holds recorded samples, taken as greedy" in page
    # one of three passes, so that a random choice is two thirds below
    assert '<th scope="row">greedy</th><td class="number">+0.667</td>' in page


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run", "page.html"], "page.html: only a page is written to a file; add --html"),
        (["run", "--html", "mine.jsonl"], "mine.jsonl: is there and is no page of codesample"),
        (["run", "--html", "none/page.html"], "none/page.html: there is no folder none; make it first"),
        (["table", "--html"], "table: holds a table of runs; a page shows one of them: table/a, table/b"),
        (["none", "--html"], "none: not a run folder"),
        (["run", "--html", "--greedy", "run"], "run: holds recorded samples, several of a problem"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder: Path, words: list[str], complaint: str) -> None:
    (folder / "table").mkdir(exist_ok=True)
    rows = [{"folder": name, "task": "t", "model": "m", "temperature": 0.8} for name in "ab"]
    (folder / "table" / "table.json").write_text(json.dumps({"format": 1, "runs": rows}))
    done = call("report", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {complaint}"), done.stderr
    assert done.stderr.count("\n") == 1
