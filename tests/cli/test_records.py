"""Options come from the fields of records: one place says what there is to set."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from codesample.cli.errors import Commands
from codesample.cli.records import Part, Several, takes_records
from codesample.records.fields import check_settings, setting

ROOT = Path(__file__).resolve().parents[2]


def _pair(word: str) -> tuple[int, float]:
    token, amount = word.split("=")
    return int(token), float(amount)


@dataclass(frozen=True)
class Shape:
    top_p: float = setting(0.5, "A share.", expected="a number in (0, 1]", holds=lambda value: 0 < value <= 1)
    names: tuple[str, ...] = setting((), "Names; repeatable.")
    pairs: tuple[tuple[int, float], ...] = setting((), "Pairs.", metavar="TOKEN=AMOUNT", parse=_pair)
    most: int | None = setting(None, "Most of them.")
    out: Path | None = setting(None, "Where to.")
    on: bool = setting(False, "Whether.")
    renamed: str = setting("x", "By another name.", expected="a word", holds=bool, flag="--other")
    hidden: str = setting("kept", "Not here.", flag=None)

    def __post_init__(self) -> None:
        check_settings(self)


SEEN: list[Any] = []
app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)


@app.command()
@takes_records(shape=Shape)
def whole(count: int = 1, *, shape: Shape, last: bool = False) -> None:
    """Take everything."""
    SEEN.append((count, shape, last))


@app.command()
@takes_records(shape=Part(Shape, ("most",)))
def part(*, shape: Shape) -> None:
    """Take a part."""
    SEEN.append(shape)


def run(*words: str) -> Any:
    SEEN.clear()
    return CliRunner().invoke(app, list(words))


def test_without_options_the_record_has_its_defaults() -> None:
    assert run("whole").exit_code == 0
    assert [(1, Shape(), False)] == SEEN


def test_each_field_is_an_option_of_its_type() -> None:
    words = "--top-p 0.25 --names a --names b --pairs 3=-1.5 --pairs 4=2 --most 7 --out x/y --on --other z"
    assert run("whole", "--count", "2", *words.split(), "--last").exit_code == 0
    expected = Shape(0.25, ("a", "b"), ((3, -1.5), (4, 2.0)), 7, Path("x/y"), True, "z")
    assert [(2, expected, True)] == SEEN


def test_help_and_defaults_are_the_fields() -> None:
    page = CliRunner().invoke(app, ["whole", "--help"], env={"COLUMNS": "200"}).output
    assert "A share." in page
    assert "[default: 0.5]" in page
    assert "TOKEN=AMOUNT" in page
    assert "--hidden" not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--top-p", "2"], "top_p = 2.0: expected a number in (0, 1]"),
        (["--other", ""], "error: other = '': expected a word"),
        (["--pairs", "3"], "--pairs 3: expected TOKEN=AMOUNT each time"),
        (["--most", "few"], "error: most = 'few': expected a whole number. Help: "),
    ],
)
def test_a_bad_value_is_refused_in_one_line(words: list[str], message: str) -> None:
    refused = run("whole", *words)
    assert (refused.exit_code, SEEN) == (2, [])
    assert message in refused.output
    assert len(refused.output.strip().splitlines()) == 1


def test_a_part_of_a_record_offers_that_part() -> None:
    assert run("part", "--most", "3").exit_code == 0
    assert [Shape(most=3)] == SEEN
    assert run("part", "--top-p", "0.5").exit_code == 2


@dataclass(frozen=True)
class Drawn:
    heat: float = setting(0.5, "How hot.", expected="at least 0", holds=lambda value: value >= 0)
    name: str = setting("x", "Whose.")
    top: int = setting(3, "Most.")

    def __post_init__(self) -> None:
        check_settings(self)


@app.command()
@takes_records(drawn=Several(Drawn, "heat"), named=Several(Shape, "renamed"))
def several(*, drawn: tuple[Drawn, ...], named: tuple[Shape, ...]) -> None:
    """Take several."""
    SEEN.append((drawn, named))


def test_a_varied_field_makes_a_record_of_each_value_and_the_others_are_shared() -> None:
    assert run("several").exit_code == 0
    assert [((Drawn(),), (Shape(),))] == SEEN
    words = "--heat 0.5,0.25 --heat 2 --heat 0.25 --top 7 --name y --other a,b --other c"
    assert run("several", *words.split()).exit_code == 0
    drawn = tuple(Drawn(heat, "y", 7) for heat in (0.5, 0.25, 2.0))
    assert [(drawn, (Shape(renamed="a,b"), Shape(renamed="c")))] == SEEN


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--heat", "hot"], "heat = 'hot': expected a number"),
        (["--heat", "1,"], "heat = '1,': expected a number"),
        (["--heat", "1", "--heat", "-1"], "heat = -1.0: expected at least 0"),
    ],
)
def test_a_bad_value_of_a_varied_field_is_refused_in_one_line(words: list[str], message: str) -> None:
    refused = run("several", *words)
    assert (refused.exit_code, refused.output, SEEN) == (2, f"error: {message}\n", [])


def test_the_page_says_that_a_varied_field_is_repeatable() -> None:
    page = CliRunner().invoke(app, ["several", "--help"], env={"COLUMNS": "200"}).output
    (line,) = [line for line in page.splitlines() if "--heat" in line]
    assert "<float>" in line
    assert "How hot. Repeatable: each makes runs of its own. [default: 0.5]" in " ".join(line.split())


ANCHOR = "    seed: int = setting(\n"
ADDED = """    extra_share: float = setting(
        0.25,
        "A parameter that a test added.",
        expected="a number in [0, 1]",
        holds=lambda value: 0 <= value <= 1,
    )
"""


@pytest.mark.slow
def test_adding_a_parameter_touches_one_place(tmp_path: Path) -> None:
    """One declaration puts it on every command line, into the library and into the run's record."""
    for part in ("codesample", "kernels", "rerankers", "tasks"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, symlinks=True, ignore=ignored)
    place = tmp_path / "codesample" / "records" / "sampling.py"
    before = place.read_text()
    place.write_text(before.replace(ANCHOR, ADDED + ANCHOR))
    assert place.read_text() != before

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    for name in ("eval", "sample"):
        page = call("-m", "codesample", name, "--help").stdout
        assert "--extra-share" in page
        assert "A parameter that a test added." in page
    refused = call("-m", "codesample", "sample", "def f", "--extra-share", "2")
    assert refused.stderr == "error: extra_share = 2.0: expected a number in [0, 1]\n"
    run = ("--n", "1", "--limit", "1", "--out", "run", "--workers", "1", "--allow-weak-isolation", "none")
    done = call("-m", "codesample", "eval", "mini", *run, "--extra-share", "0.75")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["params"]["extra_share"] == 0.75
    code = """
from pathlib import Path
from codesample import RunOptions, SamplingParams, evaluate
run = RunOptions(out=Path("run"), resume=True, workers=1, allow_weak_isolation="none")
evaluate("mini", n=1, limit=1, params=SamplingParams(extra_share=0.75), run=run)
try:
    evaluate("mini", n=1, limit=1, params=SamplingParams(extra_share=0.5), run=run)
except Exception as error:
    print(error)
"""
    assert "extra_share is 0.5, the run has 0.75" in call("-c", code).stdout
