"""What a running evaluation shows."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest

from codesample.evaluation.observer import Snapshot
from codesample.reports.progress import PLAIN_INTERVAL, RunProgress, describe


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_at_intervals_and_name_the_figures() -> None:
    stream, now = StringIO(), [0.0]
    progress = RunProgress(stream, clock=lambda: now[0])
    progress.started(Path("runs/x"), problems=4, candidates=24)
    progress.progress(Snapshot(1, 6, 400, 2.0, 0.25))
    now[0] = PLAIN_INTERVAL
    progress.progress(Snapshot(2, 12, 800, 4.0, 0.5))
    progress.progress(Snapshot(3, 18, 1200, 6.0, 0.5))
    progress.stopped()
    assert stream.getvalue().splitlines() == [
        "run folder runs/x: 4 problems, 24 candidates",
        "2/4 problems, 12 judged, 200 tokens/s, pass@1 0.500",
    ]
    assert progress.run == Path("runs/x")


def test_before_the_first_verdict_there_is_no_pass_at_1() -> None:
    assert describe(Snapshot(0, 0, 10, 1.0, None)) == "0 judged, 10 tokens/s"


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = RunProgress(stream)
    progress.started(Path("runs/x"), problems=4, candidates=24)
    progress.progress(Snapshot(3, 18, 1200, 6.0, 0.5))
    progress.stopped()
    assert "3/4" in stream.getvalue()
    assert "pass@1 0.500" in stream.getvalue()


def test_a_notice_is_one_line_and_keeps_its_brackets() -> None:
    stream = StringIO()
    RunProgress(stream).notice("samples.jsonl: cut off [3 bytes]")
    assert stream.getvalue() == "notice: samples.jsonl: cut off [3 bytes]\n"


def test_reranking_is_shown_too() -> None:
    stream, now = StringIO(), [0.0]
    progress = RunProgress(stream, clock=lambda: now[0])
    progress.scored("mean_logprob", done=1, problems=4)
    now[0] = PLAIN_INTERVAL
    progress.scored("mean_logprob", done=2, problems=4)
    assert stream.getvalue() == "2/4 problems, scored by mean_logprob\n"


def test_a_terminal_shows_a_bar_for_each_reranker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = RunProgress(stream)
    for name in ("first", "second"):
        progress.scored(name, done=4, problems=4)
    progress.stopped()
    assert "scored by first" in stream.getvalue()
    assert "scored by second" in stream.getvalue()


def test_stopping_before_anything_started_is_fine() -> None:
    stream = StringIO()
    RunProgress(stream).stopped()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_a_terminal_of_any_usual_width_shows_the_figures_whole(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    progress = RunProgress(stream)
    progress.started(Path("runs/x"), problems=164, candidates=164 * 200)
    progress.progress(Snapshot(164, 32800, 4_000_000, 321.0, 0.166))
    progress.stopped()
    last = next(line for line in reversed(stream.getvalue().splitlines()) if "judged" in line)
    last = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", last)
    assert len(last) <= columns
    for figure in ("164/164", "32800 judged", "12,461 tokens/s", "pass@1 0.166"):
        assert figure in last
    assert "…" not in stream.getvalue()
    assert ("━" in last) == (columns > 60)


def test_what_is_run_is_the_first_line_as_it_was_given() -> None:
    stream = StringIO()
    progress = RunProgress(stream)
    progress.planned("mini: 4 problems x 8 candidates of [x], prompts base")
    progress.started(Path("runs/x"), problems=4, candidates=32)
    assert stream.getvalue().splitlines() == [
        "mini: 4 problems x 8 candidates of [x], prompts base",
        "run folder runs/x: 4 problems, 32 candidates",
    ]
