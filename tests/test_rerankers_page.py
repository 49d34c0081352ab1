"""The page of all rerankers says what they are, what they were measured at, and shows examples that hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from page_writers import page_writer
from typer.testing import CliRunner

from codesample.cli.app import app
from codesample.rerankers.contract import Reranker
from codesample.rerankers.description import describe_reranker
from codesample.rerankers.expression import Named, parse

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "rerankers.md").read_text(encoding="utf-8")
WRITING = PAGE.partition("\n## Writing one\n")[2].partition("\n## Trying it\n")[0]
EXAMPLES = [
    (part.partition("\n")[0] if number else "", block)
    for number, part in enumerate(WRITING.split("\n### "))
    for block in re.findall(r"^```python\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAMES = set(PROJECT["entry-points"]["codesample.rerankers"])


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return page_writer("write_rerankers")


@pytest.fixture(scope="module")
def rerankers(writer: ModuleType) -> list[Reranker]:
    return list(writer.own_rerankers())


def test_the_page_is_what_the_rerankers_say(writer: ModuleType, rerankers: list[Reranker]) -> None:
    assert writer.page(PAGE, rerankers, writer.measured()) == PAGE, "make map"


def test_every_reranker_of_the_project_is_there_under_its_name(rerankers: list[Reranker]) -> None:
    assert [each.name for each in rerankers] == sorted(NAMES)
    for each in rerankers:
        assert f"[`{each.name}`](#{each.name})" in PAGE
        assert f"\n### {each.name}\n" in PAGE


def test_every_reranker_says_formula_source_needs_and_cost(rerankers: list[Reranker]) -> None:
    for each in rerankers:
        said = describe_reranker(each)
        assert said.summary.endswith("."), each.name
        assert all((said.formula, said.source, said.needs, said.cost)), each.name
        for need in each.needs:
            assert need in said.needs, each.name


def test_figures_are_the_rows(writer: ModuleType, rerankers: list[Reranker]) -> None:
    ends = {"random": 0.2, "oracle": 0.7}
    rows: list[dict[str, Any]] = [
        {"pool": "p", "reranker": "sum_logprob", "best_of_n": 0.15, "low": 0.1, "high": 0.25, **ends}
        | {"gap_closed": -0.1, "note": "short | programs"},
        {"pool": "p", "reranker": "a > b", "best_of_n": 0.45, "low": 0.4, "high": 0.5, **ends}
        | {"gap_closed": 0.5},
        {"pool": "q", "reranker": "sum_logprob", "best_of_n": 1.0, "low": 1.0, "high": 1.0}
        | {"random": 1.0, "oracle": 1.0, "gap_closed": None},
    ]
    table = writer.figures(rows)
    first, second = (
        table.index("`a > b` | 0.450 | 0.400 - 0.500 | 50 % |"),
        table.index("| `sum_logprob` | 0.150"),
    )
    assert first < second < table.index("### q\n")
    assert "A choice at random: 0.200; an oracle: 0.700." in table
    assert "-10 % | short \\| programs |" in table
    overview = writer.overview(rerankers, rows)
    assert "| gap closed, p | gap closed, q |" in overview
    (line,) = [line for line in overview.splitlines() if line.startswith("| [`sum_logprob`]")]
    assert line.endswith("| nothing | -10 % |  |")


def test_where_nothing_was_measured_the_page_says_so(writer: ModuleType) -> None:
    assert writer.figures([]) == "Nothing was measured yet.\n"


def test_only_what_stands_between_the_marks_is_written(writer: ModuleType, rerankers: list[Reranker]) -> None:
    text = "before\n<!-- measured: written by docs/write_rerankers.py -->\nold\n<!-- end -->\nbehind\n"
    written = writer.page(text, rerankers, [])
    assert written.startswith("before\n<!-- measured")
    assert written.endswith("<!-- end -->\nbehind\n")
    assert "old" not in written
    assert writer.page(written, rerankers, []) == written


def test_measured_rows_have_what_the_page_needs(writer: ModuleType) -> None:
    for row in writer.measured():
        assert {
            "pool",
            "reranker",
            "best_of_n",
            "low",
            "high",
            "random",
            "oracle",
            "gap_closed",
        } <= row.keys()
        assert row["low"] <= row["best_of_n"] <= row["high"]


@pytest.mark.parametrize(("ability", "block"), EXAMPLES, ids=[ability or "none" for ability, _ in EXAMPLES])
def test_every_example_conforms_and_needs_what_its_heading_says(
    ability: str, block: str, tmp_path: Path
) -> None:
    file = tmp_path / "idea.py"
    file.write_text(block, encoding="utf-8")
    (name,) = re.findall(r"^def (\w+)", block, re.MULTILINE)
    command = ["rerankers", "check", f"{file}:{name}", "--workers", "1", "--allow-weak-isolation", "none"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    assert namespace[name].needs == ({ability} if ability else set())
    assert len(block.partition("def ")[2].splitlines()) <= 6


def test_there_is_an_example_of_every_ability() -> None:
    from codesample.rerankers.context import ABILITIES

    assert sorted(ability for ability, _ in EXAMPLES if ability) == sorted(ABILITIES)


def test_every_expression_on_the_page_can_be_read_and_names_what_there_is() -> None:
    written = re.findall(r"`([^`\n]*(?: > | \\\| |\*z\()[^`\n]*)`", PAGE)
    advice = PAGE.partition("\n## Which one?\n")[2].partition("\nThen measure")[0]
    written += re.findall(r"`([^`\n]+)`", advice)
    assert len(written) > 5
    for text in written:
        for name in leaves(parse(text.replace("\\|", "|").replace("model=...", "model=x"))):
            assert name in NAMES, f"{name} in {text}"


def leaves(tree: Any) -> Iterator[str]:
    if isinstance(tree, Named):
        yield tree.name
    for inner in ("parts", "terms", "by", "then", "of"):
        below = getattr(tree, inner, ())
        for each in below if isinstance(below, tuple) else (below,):
            yield from leaves(each[1] if isinstance(each, tuple) else each)


def test_writing_the_page_loads_nothing_heavy() -> None:
    code = (
        "import runpy, sys; made = runpy.run_path('docs/write_rerankers.py');"
        "made['page']('', list(made['own_rerankers']()), made['measured']());"
        "odd = {'torch', 'transformers', 'numpy'} & sys.modules.keys(); assert not odd, odd"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
