"""Every command and every block of the tutorial works, in their order, on fewer problems."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codesample.evaluation.picks import Pick
from codesample.evaluation.problem_set import ProblemSet
from codesample.evaluation.run_contents import RunContents
from codesample.evaluation.run_lines import ProblemLine, choose_lines
from codesample.evaluation.run_order import Only
from codesample.records import SamplingParams, Status
from codesample.reports.page_lines import Surface
from codesample.reports.run_page import run_page
from codesample.runs import Manifest
from codesample.tasks.registry import load_task

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
# what is drawn and read of a small model takes the time
FEWER = {"eval": ["--limit", "5", "--n", "4"], "rerank": ["--test-samples", "2"]}


def words_of(line: str) -> list[str]:
    """Return a command of the page as it is run here: by this Python, and on less."""
    _, command, *rest = shlex.split(line)
    if "--n" in rest:
        del rest[rest.index("--n") : rest.index("--n") + 2]
    return [sys.executable, "-m", "codesample", command, *rest, *FEWER.get(command, [])]


@pytest.mark.slow
def test_the_whole_story_runs(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    ran = 0
    for kind, block in BLOCKS:
        commands = [words_of(line) for line in block.splitlines() if line.startswith("codesample ")]
        if kind == "python":
            name = re.match(r"# (\S+\.py)\n", block)
            (tmp_path / (name[1] if name else "block.py")).write_text(block, encoding="utf-8")
            commands = [] if name else [[sys.executable, "block.py"]]
        for command in commands:
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
            ran += 1
    assert ran >= 9
    assert (tmp_path / "runs" / "blind.html").stat().st_size > 10_000


def test_commands_are_shown_in_blocks_that_are_run_or_are_installing() -> None:
    plain = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
    assert [line for line in plain if not line.startswith(("codesample ", "pip install "))] == []


def test_every_block_of_output_stands_behind_a_command() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert all(kinds[at - 1] in ("", "python") for at, kind in enumerate(kinds) if kind == "text")


def test_the_listing_of_a_run_is_as_the_page_of_a_run_is_made() -> None:
    (block,) = [text for _, text in BLOCKS if "some-pass\n" in text and text.startswith("mini_blind")]
    problems, some = map(int, re.findall(r"(\d+) problems, (\d+) of them some-pass", block)[0])
    names = re.findall(r"^problem .*by 1 (\S+) +by 2 (\S+)$", block, re.MULTILINE)[0]
    lost = {name: int(re.findall(rf"{name}, which loses (\d+) of", block)[0]) for name in names}
    solvable = int(re.findall(r"of the (\d+) problems that some", block)[0])
    rows = [row_of(line, names) for line in block.splitlines() if re.match(r"mini/\d+ ", line)]
    # how many of the others each loses is all that the page says of them
    left = {name: lost[name] - sum(row.lost(name) for row in rows) for name in names}
    others = [
        replace(rows[0], picks={name: WON if at >= left[name] else LOST for name in names})
        for at in range(some - len(rows))
    ]
    passing = replace(rows[0], graded=2, passed=2, picks=dict.fromkeys(names, WON))
    failing = replace(passing, passed=0)
    every = [*rows, *others, *[passing] * (solvable - some), *[failing] * (problems - solvable)]
    manifest = Manifest("mini_blind", "1", "hash", "tiny", SamplingParams(), 16)
    chosen = ProblemSet(load_task("mini_blind"), ())
    contents = RunContents(
        path=Path("runs/blind"),
        manifest=manifest,
        chosen=chosen,
        pools=[],
        scores={name: {} for name in names},
        report=None,
        origins={},
    )
    listed = choose_lines(every, only=Only.SOME_PASS)
    page = run_page(contents, every, listed, Surface(width=100), filters="some-pass", last=len(rows))
    assert "\n".join(line.plain for line in page) == block.rstrip("\n")


WON, LOST = Pick((0,), 1, 0), Pick((0,), 0, 0)
MARKS = {"✓": Status.PASSED, "✗": Status.WRONG, "!": Status.ERROR}


def row_of(line: str, names: Sequence[str]) -> ProblemLine:
    """Read a line of the listing back."""
    task_id, passed, marks, *cells = re.split(r"  +", line)
    picks = {}
    for name, cell in zip(names, cells, strict=True):
        mark, index, more = re.fullmatch(r"(\S) (\d+)(?: \+(\d+))?", cell).groups("0")
        tied = tuple(range(int(index), int(index) + int(more) + 1))
        picks[name] = Pick(tied, len(tied) * (mark == "✓"), 0)
    right, of = map(int, passed.split("/"))
    statuses = {MARKS[mark]: marks.count(mark) for mark in MARKS if mark in marks}
    return ProblemLine(task_id, of, of, right, statuses, picks)
