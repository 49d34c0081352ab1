"""What the documents show exists, and what they show as Python runs."""

from __future__ import annotations

import codeop
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.tasks.registry import task_names

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md"))
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
ALONE = [
    number
    for number, block in enumerate(BLOCKS)
    if block.startswith(("import codesample\n", "from codesample import"))
]


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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_task_that_a_line_evaluates_exists(document: str) -> None:
    page = (ROOT / document).read_text(encoding="utf-8")
    assert set(re.findall(r"codesample eval ([a-z]\w*(?:\.\w+)?)", page)) <= set(task_names())


def test_every_option_shown_exists() -> None:
    pages = "".join(
        CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output
        for command in (
            *("eval", "sample", "execute", "export", "rerank", "report", "tasks show"),
            *("compare", "show", "rerankers fit", "rerankers check", ""),
        )
    )
    ours = re.sub(r"^(MODEL=\S+ )?(uvicorn|curl) .*$", "", README, flags=re.MULTILINE)
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)):
        assert option in pages + " --help", option


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_python_block_is_python(number: int) -> None:
    compile(BLOCKS[number], f"README.md, block {number}", "exec")


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_python_block_can_be_pasted_into_a_notebook(number: int) -> None:
    transforming = pytest.importorskip("IPython.core.inputtransformer2", reason="needs the extra 'examples'")
    assert transforming.TransformerManager().transform_cell(BLOCKS[number]) == BLOCKS[number]


def test_what_a_notebook_would_change_is_seen() -> None:
    transforming = pytest.importorskip("IPython.core.inputtransformer2", reason="needs the extra 'examples'")
    shown = "prompt = '''\n    >>> f(1)\n    2\n'''\n"
    assert transforming.TransformerManager().transform_cell(shown) != shown


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_python_block_can_be_typed_line_by_line(number: int) -> None:
    assert left_over(BLOCKS[number]) == ""


def test_what_cannot_be_typed_line_by_line_is_seen() -> None:
    with pytest.raises(SyntaxError):
        left_over("for x in ():\n    pass\nprint()\n")
    assert left_over("f(\n") == "f(\n\n"


def left_over(block: str) -> str:
    """Type a block as into a prompt that runs each statement once it is whole; return what never was."""
    waiting: list[str] = []
    # an empty line ends a loop
    for line in [*block.splitlines(), ""]:
        waiting.append(line)
        if codeop.compile_command("\n".join(waiting), symbol="single") is not None:
            waiting = []
    return "".join(f"{line}\n" for line in waiting)


@pytest.mark.slow
@pytest.mark.parametrize("number", ALONE)
def test_the_blocks_that_stand_alone_print_what_stands_below_them(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCKS[number]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    _, _, behind = README.partition(f"```python\n{BLOCKS[number]}```\n")
    (shown,) = re.match(
        r"\s*(?:prints[^\n]*\n\s*)?```text\n(.*?)^```", behind, re.DOTALL | re.MULTILINE
    ).groups()
    # a run folder is named after the moment
    moment = re.compile(r"\d{8}-\d{6}-\d{3}")
    assert moment.sub("", done.stdout) == moment.sub("", shown)
