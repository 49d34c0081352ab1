"""Every command and every block of the tutorial works, in their order, on fewer problems."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

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
