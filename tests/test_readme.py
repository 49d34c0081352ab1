"""What the documents show exists, and what they show as Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"))
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    file = ROOT / document
    links = re.findall(r"\]\(([^)#]+)", file.read_text(encoding="utf-8"))
    paths = [link for link in links if "://" not in link]
    assert [path for path in paths if not (file.parent / path).exists()] == []


def test_every_command_shown_exists() -> None:
    shown = set(re.findall(r"`codesample ([a-z]+(?: (?:verify|decode|attention|step|execution))?)", README))
    assert {"eval", "sample", "execute", "rerank", "report", "doctor"} <= shown
    for command in shown:
        done = CliRunner().invoke(app, [*command.split(), "--help"])
        assert done.exit_code == 0, command


def test_every_option_shown_exists() -> None:
    pages = "".join(
        CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
        for command in ("eval", "sample", "execute", "export", "rerank", "report", "tasks show")
    )
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)):
        assert option in pages + " --help", option


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_python_block_is_python(number: int) -> None:
    compile(BLOCKS[number], f"README.md, block {number}", "exec")


@pytest.mark.slow
def test_the_blocks_that_stand_alone_run(tmp_path: Path) -> None:
    alone = [block for block in BLOCKS if block.startswith(("import codesample\n", "from codesample import"))]
    assert alone
    for block in alone:
        command = [sys.executable, "-c", block]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
        assert done.returncode == 0, done.stderr
