"""Pages and files of measurements hold now: their commands exist, their tables are still written so."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesample.bench.attention_results import attention_table
from codesample.bench.rivals.rival_cells import rival_table
from codesample.cli.app import app

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "benchmarks"


def named_commands() -> list[str]:
    """Return the commands of code blocks and of "command" in measurements."""
    lines = [line for page in sorted(FOLDER.glob("*.md")) for line in page.read_text().splitlines()]
    blocks = [line.strip() for line in lines if line.startswith("    ")]
    files = [file.read_text() for file in sorted(FOLDER.glob("*.json*"))]
    kept = [json.loads(found) for text in files for found in re.findall(r'"command": ("[^"]*")', text)]
    return sorted({*blocks, *kept})


COMMANDS = named_commands()


def test_commands_of_every_kind_were_found():
    starts = {" ".join(command.split()[:3]) for command in COMMANDS}
    assert {"codesample bench attention", "codesample bench decode", "codesample bench execution"} <= starts
    assert {"python -m codesample.bench.compile_check", "python tests/execution/soak.py --programs"} <= starts


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists_with_its_options(command):
    program, *words = shlex.split(command)
    if program == "codesample":
        # asking for help stops before anything is done, and after unknown words are refused
        shown = CliRunner().invoke(app, [*words, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Usage:" in shown.output
    elif words[:1] == ["-m"] and program == "python":
        assert importlib.util.find_spec(words[1]) is not None
    else:
        assert program in ("python", "pytest")
        paths = [word for word in words if "/" in word]
        assert paths
        assert all((ROOT / path).exists() for path in paths)


def test_an_unknown_option_would_be_seen():
    assert CliRunner().invoke(app, ["bench", "decode", "--shapes", "x", "--help"]).exit_code != 0


def test_the_table_of_attention_is_that_of_its_measurements():
    lines = (FOLDER / "attention_cpu.jsonl").read_text().splitlines()
    assert attention_table(map(json.loads, lines)) in (FOLDER / "attention.md").read_text()


@pytest.mark.parametrize("name", ["rivals_cpu.jsonl", "rivals_amx.jsonl"])
def test_the_table_of_rivals_is_that_of_its_measurements(name):
    rows = FOLDER / name
    kept = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    expected = rival_table(kept) if kept else "No row is kept yet"
    assert expected in (FOLDER / "rivals.md").read_text()
