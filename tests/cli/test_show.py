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


@pytest.mark.parametrize("columns", [48, 50, 60, 80, 140])
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
        "near: ~ one of the 2 that tie (0 2), of which 1 passes",
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
        "even,more: places 1-4, tied of 4",
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
    words = " ".join(text.split())
    assert "9 candidates have no verdict yet" in words
    assert f"with --out {judged_run} --resume" in words
    # which refuses such a run
    assert "codesample rerank" not in words
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


def scored(run: Path, **columns: object) -> None:
    """Add scores of rerankers: one for each candidate of a problem, the same for every problem."""
    from codesample.runs import RunFolder

    with RunFolder.open(run, write=True) as opened:
        for name, row in columns.items():
            opened.write_scores(name, {key: row[key[1]] for key in opened.sampled})  # type: ignore[index]


def test_the_choices_of_whoever_loses_are_shown_among_many(judged_run: Path) -> None:
    scored(judged_run, **{f"method_{number:02}": [0.0] * 4 for number in range(14)})
    text = page(judged_run, "--lost-by", "near", COLUMNS="60")
    lines = text.splitlines()
    assert lines[1].endswith("by 16 near")
    assert lines[2].split()[-2:] == ["~", "1/2"]
    assert lines[3].split()[-2:] == ["✗", "0"]
    assert "by 16       near, which loses" in text
    assert "by 1 " not in text
    assert all(len(line) <= 60 for line in lines if str(judged_run) not in line)


def test_only_marks_that_occur_are_explained(judged_run: Path) -> None:
    text = " ".join(page(judged_run, "--limit", "2", COLUMNS="100").split())
    assert "sorted by outcome, not by candidate" in text
    assert "'~ 2/4' are 4 that share it, of which 2 pass" in text
    assert "+" not in text.partition("ties")[2].partition("by 1")[0]
    text = " ".join(page(judged_run, "--only", "none-pass", COLUMNS="100").split())
    assert "ties '0 +3' is candidate 0 and 3 more that share the first place by 1" in text
    scored(judged_run, **{f"method_{number:02}": [0.0] * 4 for number in range(14)})
    text = " ".join(page(judged_run, COLUMNS="60").split())
    assert "ties ~ are several that share the first place, of which some pass by 1" in text


def test_any_spelling_of_a_composition_is_understood(judged_run: Path) -> None:
    scored(judged_run, **{"executable,mean_logprob": [3.0, 2.0, 1.0, 0.0]})
    for spelling in (
        "executable > mean_logprob",
        "executable , mean_logprob",
        "( executable ) , mean_logprob",
    ):
        assert "1 of them lost by executable,mean_logprob" in page(judged_run, "--lost-by", spelling)


def test_a_composition_shows_its_members_and_who_decided(judged_run: Path) -> None:
    scored(
        judged_run,
        executable=[1.0, 1.0, 0.0, 1.0],
        mean_logprob=[-2.0, -1.5, -1.0, -3.0],
        **{"executable,mean_logprob": [2.0, 3.0, 0.0, 1.0]},
    )
    text = " ".join(page(judged_run, "1", COLUMNS="200").split())
    assert "candidate 1, which passes; decided by mean_logprob: -1.5, next candidate 0: -2" in text
    # a place, not a score by its size
    assert "executable,mean_logprob place 1 <- first choice" not in text
    assert "executable,mean_logprob places 1-2 <- first choice" in text
    text = " ".join(page(judged_run, "1", 0, COLUMNS="200").split())
    assert "executable,mean_logprob: place 2 of 4; of its members executable 1, mean_logprob -2" in text


def test_who_abstains_says_why(judged_run: Path) -> None:
    scored(judged_run, public_examples=[None] * 4, largest_cluster=[None] * 4)
    text = " ".join(page(judged_run, "1", COLUMNS="200").split())
    assert "public_examples: ~ any of all 4, of which 2 pass: it gave no scores" in text
    nothing = "it gave no scores, for no program returned anything on the inputs that were made"
    assert f"largest_cluster: ~ any of all 4, of which 2 pass: {nothing}" in text


def test_a_run_of_some_problems_is_finished(judged_run: Path) -> None:
    for name in (
        "samples.jsonl",
        "verdicts.jsonl",
        *(f"scores/{each}.jsonl" for each in ("near", "even,more")),
    ):
        file = judged_run / name
        kept = [line for line in file.read_text().splitlines(keepends=True) if '"mine/1"' in line]
        file.write_text("".join(kept))
    text = page(judged_run)
    assert "mine, a model: 1 problem" in text
    assert "unfinished" not in text


def test_a_folder_of_runs_names_them(judged_run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_text("{}")
    said = refusal(tmp_path)
    assert f"a folder of such; name one of them: {judged_run}" in said
    assert "execute" not in said


def test_tokens_in_a_pipe_come_without_a_legend_of_colours(judged_run: Path) -> None:
    text = page(judged_run, "1", 0, "--tokens")
    assert "below 10%" not in text
    assert "unlikeliest" in text


def test_a_lost_problem_says_what_decided_among_what_a_filter_kept(judged_run: Path) -> None:
    from codesample.runs import RunFolder

    name = "executable | mean_logprob"
    ranks, executable = [2.0, 1.0, None, 0.0], [1.0, 1.0, 0.0, 1.0]
    scored(judged_run, executable=executable, mean_logprob=[-2.0, -1.5, -1.0, -3.0], **{name: ranks})
    older = " ".join(page(judged_run, "--lost-by", name, COLUMNS="300").split())
    assert (
        "candidate 0: decided by mean_logprob among the 3 of 4 that executable kept, before candidate 1, the "
        "best that passes and in place 2; what it gave among these is not kept, score again to see it"
    ) in older
    candidate = " ".join(page(judged_run, "2", 0, COLUMNS="300").split())
    assert "executable 1, mean_logprob -2 (each over all 4, not as it was asked here)" in candidate
    gave = {"executable": dict(enumerate(executable)), "mean_logprob": {0: -0.25, 1: -0.5, 3: None}}
    with RunFolder.open(judged_run, write=True) as opened:
        rows = {key: ranks[key[1]] for key in opened.sampled}
        opened.write_scores(name, rows, members={"mine/2": gave})
    for arguments in (("--lost-by", name), ("2",)):
        text = " ".join(page(judged_run, *arguments, COLUMNS="300").split())
        assert (
            "decided by mean_logprob among the 3 of 4 that executable kept: -0.25, candidate 1, the best "
            "that passes and in place 2: -0.5"
        ) in text
    assert "of its members executable 0, mean_logprob was not asked" in " ".join(
        page(judged_run, "2", 2, COLUMNS="300").split()
    )
    assert "left out by executable, place 4" in " ".join(page(judged_run, "2", 2, COLUMNS="300").split())
    assert "of its members executable 1, mean_logprob -0.25 among the 3 kept" in " ".join(
        page(judged_run, "2", 0, COLUMNS="300").split()
    )
    # what members gave belongs to the scores that stood beside it
    scored(judged_run, **{name: ranks})
    assert "not kept" in page(judged_run, "--lost-by", name, COLUMNS="300")
