"""`codesample show`, as it is typed, on runs of all kinds."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from codesample.cli.app import app

COMMAND = [sys.executable, "-m", "codesample", "show"]


def call(*words: object, **environment: str) -> Result:
    return CliRunner().invoke(app, ["show", *map(str, words)], env=environment)


def page(*words: object, **environment: str) -> str:
    done = call(*words, **environment)
    assert done.exit_code == 0, done.output
    return done.stdout


def refusal(*words: object) -> str:
    done = call(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def shell(line: str, run: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = line.replace("SHOW", shlex.join([*COMMAND, str(run)]))
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", words],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=100,
    )


def test_a_run_is_a_line_for_each_problem(judged_run: Path) -> None:
    lines = page(judged_run, COLUMNS="100").splitlines()
    assert lines[0] == "mine, a model: 3 problems"
    assert lines[1].split() == ["problem", "passed", "verdicts", "by", "1", "even,more", "by", "2", "near"]
    assert lines[2].split() == ["mine/1", "2/4", "✓✓✗!", "~", "2/4", "~", "1/2"]
    assert lines[3].split() == ["mine/2", "1/4", "✓✗✗t", "~", "1/4", "✗", "0"]
    assert lines[4].split() == ["mine/30", "0/4", "✗✗✗✗", "✗", "0", "+3", "✗", "0", "+3"]
    assert "by 2        near, which loses 1.5 of the 2 problems that some program passes" in lines


@pytest.mark.parametrize("columns", [56, 60, 80, 140])
def test_no_line_is_wider_than_the_terminal(judged_run: Path, columns: int) -> None:
    lines = page(judged_run, COLUMNS=str(columns)).splitlines()
    # a path is never broken
    assert all(len(line) <= columns for line in lines if str(judged_run) not in line)
    assert all(line == line.rstrip() for line in lines)


def test_many_rerankers_are_a_mark_each_where_there_is_no_room(judged_run: Path) -> None:
    from codesample.runs import RunFolder

    with RunFolder.open(judged_run, write=True) as run:
        keys = dict.fromkeys(run.sampled, 0.0)
        for number in range(14):
            run.write_scores(f"method_{number:02}", keys)
    lines = page(judged_run, COLUMNS="60").splitlines()
    assert lines[1].endswith("by 1-16")
    assert lines[4].split()[-1] == "✗" * 16
    assert all(len(line) <= 60 for line in lines if str(judged_run) not in line)


def test_problems_are_narrowed_ordered_and_shown_in_parts(judged_run: Path) -> None:
    def named(*words: object) -> list[str]:
        return [line.split()[0] for line in page(judged_run, *words).splitlines() if line.startswith("mine/")]

    assert named("--sort", "lost") == ["mine/2", "mine/1", "mine/30"]
    assert named("--only", "none-pass") == ["mine/30"]
    assert named("--lost-by", "near", "--status", "error") == ["mine/1"]
    assert named("--limit", "2-3") == ["mine/2", "mine/30"]
    text = page(judged_run, "--limit", 1)
    assert "1 to 1 of 3 are shown; others by --limit, such as 2-2" in text
    assert "3 problems, 2 of them lost by near" in page(judged_run, "--lost-by", "near")


def test_a_problem_shows_its_prompt_and_its_different_programs(judged_run: Path) -> None:
    text = page(judged_run, "1")
    for part in (
        "mine/1 of mine: 4 candidates of a model",
        "  2 passed, 1 wrong, 1 error",
        '  |     """Return x + 1.',
        "  | add(0) == 1",
        "near: ~ one of 2 that tie, of which 1 pass: 0 2",
        "   2 x ✓ passed  candidates 0 1",
        "near 0.25 to 0.5, places 1-3 <- first choice",
        "near abstains to 0.5, places 1-4 <- first choice",
        "  |     return x + 7",
        "  | assert add(2) == 3",
    ):
        assert part in text
    assert "assert add(2)" not in page(judged_run, "1", "--no-tests")
    assert "return x + 7" not in page(judged_run, "1", "--status", "passed")


def test_a_candidate_shows_program_verdict_and_scores(judged_run: Path) -> None:
    text = page(judged_run, "mine/2", 0, "--tokens")
    for part in (
        "mine/2, candidate 0 of 4: ✗ wrong",
        "ended by eos",
        "  7 >     return x + 7",
        "  | said of mine/2, 0",
        "near: 0.75, place 1 of 4",
        "even,more: 0, places 1-4, tied of 4",
        "unlikeliest",
    ):
        assert part in text
    assert "assert add(2)" in text
    assert "assert add(2)" not in page(judged_run, "mine/2", 0, "--no-tests")


def test_json_is_the_same_as_data(judged_run: Path) -> None:
    content = json.loads(page(judged_run, "--json", "--only", "none-pass"))
    assert [each["task_id"] for each in content["problems"]] == ["mine/30"]
    assert content["rerankers"] == ["even,more", "near"]
    assert json.loads(page(judged_run, 2, "--json"))["programs"][0]["indices"] == [0, 2, 3]
    assert json.loads(page(judged_run, 2, 1, "--json"))["scores"]["near"]["places"] == [2, 2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine/31"], "did you mean 'mine/1'?"),
        ([1, 9], "has no candidate 9 with a verdict; it has 0-3"),
        ([1, "x"], "a whole number"),
        ([1, "--only", "none-pass"], "--only: says nothing beside PROBLEM"),
        (["--tokens"], "--tokens: says nothing without INDEX"),
        ([1, 0, "--limit", 3], "--limit: says nothing beside INDEX"),
        (["--lost-by", "nearr"], "did you mean 'near'?"),
        (["--only", "lost-by"], "none-pass"),
        (["--limit", "0"], "limit = '0'"),
    ],
)
def test_what_means_nothing_is_refused_in_a_line(judged_run: Path, words: list[object], said: str) -> None:
    assert said in refusal(judged_run, *words)


def test_no_run_and_a_table_of_runs_are_told_apart(judged_run: Path, tmp_path: Path) -> None:
    from codesample.runs.table import TableEntry, add_to_table

    assert "not a run folder" in refusal(tmp_path / "absent")
    add_to_table(tmp_path, [TableEntry("run", "mine", "a model", 0.8)])
    assert f"holds a table of runs; name one of them: {judged_run}" in refusal(tmp_path)


def test_a_run_that_is_not_finished_is_shown_as_far_as_it_is_judged(judged_run: Path) -> None:
    file = judged_run / "verdicts.jsonl"
    kept = [line for line in file.read_text().splitlines(keepends=True) if '"mine/1"' in line][:3]
    file.write_text("".join(kept))
    text = page(judged_run)
    assert "mine/1      2/3" in text
    assert "2 problems and 9 candidates of others have no verdict yet" in " ".join(text.split())
    assert "candidate 2 of 3" in page(judged_run, 1, 2)
    assert "has no candidate 3 with a verdict" in refusal(judged_run, 1, 3)
    assert "none of its candidates has a verdict" in refusal(judged_run, 30)


def test_results_of_another_version_keep_nothing_from_being_shown(judged_run: Path) -> None:
    (judged_run / "results.json").write_text('{"rerankers": 3}')
    assert "mine/1" in page(judged_run)


def test_what_recorded_samples_were_asked_is_not_known(judged_run: Path) -> None:
    file = judged_run / "run.json"
    content = json.loads(file.read_text())
    content["sessions"][0]["model"] = {"reproducibility": "recorded"}
    file.write_text(json.dumps(content))
    assert "what recorded samples were asked is not known" in " ".join(page(judged_run, 1).split())


HOSTILE = {
    ("mine/1", 0): "\x1b[2J\x1b]0;stolen\x07\x00\u202e\ud800 [red]x[/red]\n",
    ("mine/1", 1): "    return '" + "x" * 1_000_000 + "'\n",
    ("mine/1", 2): "pass\n" * 50_000,
    ("mine/1", 3): "",
}


def test_hostile_candidates_break_no_page(
    judged_run: Path, written_run: Callable[..., Path], tmp_path: Path
) -> None:
    run = written_run(tmp_path / "hostile", tmp_path / "mine.jsonl", HOSTILE)
    pages = [page(run, 1), *(page(run, 1, index, "--tokens") for index in range(4))]
    for text in pages:
        assert all(line.isprintable() for line in text.splitlines())
        assert len(text) < 100_000
    assert "<U+001B>[2J" in pages[1]
    assert "[red]x[/red]" in pages[1]


def test_a_terminal_of_plain_letters_gets_plain_letters(judged_run: Path) -> None:
    done = shell("SHOW && SHOW 1 0 --tokens", judged_run, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "\\u" not in done.stdout
    assert "++x!" in done.stdout


def test_colours_are_for_terminals_that_want_them(judged_run: Path) -> None:
    words = (judged_run, 1, 0, "--tokens")
    coloured = page(*words, FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b[" in coloured
    without = page(*words, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[4m" in without
    assert not re.search(r"\x1b\[[\d;]*\b[34]\d\b", without)
    assert "\x1b" not in page(*words)


def test_a_reader_that_has_seen_enough_ends_it_quietly(judged_run: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, str(judged_run), "1"]
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=100)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, "")


@pytest.mark.parametrize("words", ["", " 1 --json"])
def test_a_full_disk_is_told_in_a_line(judged_run: Path, words: str) -> None:
    done = shell(f"SHOW{words} > /dev/full", judged_run)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: standard output cannot be written: No space left on device"]
