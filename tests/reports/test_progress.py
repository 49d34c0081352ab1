"""What a running evaluation shows."""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from codesample.evaluation.observer import Snapshot
from codesample.reports.progress import PLAIN_INTERVAL, RunProgress, describe
from codesample.reports.progress_displays import duration


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
        "2/4 problems, 12 judged, 200 tokens/s, pass@1 0.500, 20s left",
    ]
    assert progress.run == Path("runs/x")


def test_before_the_first_verdict_there_is_no_pass_at_1() -> None:
    assert describe(Snapshot(0, 0, 10, 1.0, None)) == "0 judged, 10 tokens/s"
    assert describe(Snapshot(1, 3, 0, 9.0, 0.5)) == "3 judged, pass@1 0.500"


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
    assert stream.getvalue() == "2/4 problems, scored by mean_logprob, 20s left\n"


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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3.0, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (59.5, "1m"),
        (3569, "59m"),
        (3570, "1h00m"),
        (3720, "1h02m"),
        (86369, "23h59m"),
        (86370, "1d00h"),
        (273600, "3d04h"),
    ],
)
def test_times_are_told_in_few_letters(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_what_an_earlier_session_did_is_no_pace_of_this_one() -> None:
    stream, now = StringIO(), [0.0]
    progress = RunProgress(stream, clock=lambda: now[0])
    progress.started(Path("runs/x"), problems=10, candidates=100)
    progress.progress(Snapshot(9, 90, 10, 1.0, 0.5))
    now[0] = 30.0
    progress.progress(Snapshot(9, 95, 20, 30.0, 0.5))
    # five in thirty seconds, and five to come
    assert stream.getvalue().splitlines()[-1].endswith("pass@1 0.500, 30s left")


def test_a_stage_of_its_own_has_a_line_with_the_time_left() -> None:
    stream, now = StringIO(), [0.0]
    progress = RunProgress(stream, clock=lambda: now[0])
    progress.stage("tests written", done=0, problems=8)
    now[0] = PLAIN_INTERVAL
    progress.stage("tests written", done=2, problems=8)
    now[0] = 2 * PLAIN_INTERVAL
    progress.stage("tests written", done=8, problems=8)
    assert stream.getvalue().splitlines() == [
        "2/8 problems, tests written, 30s left",
        "8/8 problems, tests written, in 20s",
    ]


def screen(columns: int, monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    """Return what stands on a terminal in the midst of a large run, without colours."""
    for name, value in {"TERM": "xterm", "COLUMNS": str(columns), **environment}.items():
        monkeypatch.setenv(name, value)
    stream, now = Terminal(), [0.0]
    progress = RunProgress(stream, clock=lambda: now[0])
    progress.started(Path("runs/x"), problems=164, candidates=164 * 200)
    progress.progress(Snapshot(0, 0, 0, 0.0, None))
    now[0] = 3600.0
    progress.progress(Snapshot(82, 16400, 44_859_600, 3600.0, 0.166))
    progress.stopped()
    lines = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in stream.getvalue().splitlines()]
    return [line.rstrip().rpartition("\r")[2] for line in lines if line.strip()]


def test_a_narrow_terminal_has_the_bar_and_the_time_below_the_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures, bar = screen(60, monkeypatch)[-2:]
    assert figures == "82/164 16400 judged, 12,461 tokens/s, pass@1 0.166"
    assert bar == "━" * 40 + "  50% 1h00m left"


def test_without_colours_a_narrow_bar_ends_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert screen(60, monkeypatch, NO_COLOR="1")[-1] == "━" * 20 + " " * 20 + "  50% 1h00m left"


@pytest.mark.parametrize("columns", [80, 200])
def test_a_wide_terminal_has_all_on_a_line(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    last = screen(columns, monkeypatch)[-1]
    assert last.endswith("82/164 problems, 16400 judged, 12,461 tokens/s, pass@1 0.166 1h00m left")
    assert len(last) <= columns
    assert last.startswith("━" * 3)


class Notebook:
    """Stands for IPython in a notebook: keeps what each display shows, and how often it was changed."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.updates = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        display = ModuleType("IPython.display")
        vars(display).update(HTML=lambda html: html, display=self._display)
        package = ModuleType("IPython")
        shell = SimpleNamespace(kernel=object())
        vars(package).update(display=display, get_ipython=lambda: shell)
        monkeypatch.setitem(sys.modules, "IPython", package)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def _display(self, html: str, *, display_id: bool) -> SimpleNamespace:
        assert display_id
        self.shown.append(html)
        place = len(self.shown) - 1

        def update(changed: str) -> None:
            self.updates += 1
            self.shown[place] = changed

        return SimpleNamespace(update=update)


def test_a_notebook_shows_one_block_that_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook, now = Notebook(), [0.0]
    notebook.install(monkeypatch)
    progress = RunProgress(clock=lambda: now[0])
    progress.planned("mini: 4 problems of <b>x</b>\x1b[2J")
    progress.started(Path("runs/x"), problems=100, candidates=1000)
    for step in range(1000):
        now[0] += 0.01
        progress.progress(Snapshot(step // 10, step, step, now[0], 0.5))
    progress.scored("near", done=50, problems=100)
    progress.stopped()
    assert capsys.readouterr() == ("", "")
    assert len(notebook.shown) <= 2
    assert notebook.updates < 40
    html = notebook.shown[-1]
    assert "99/100 problems, 999 judged, 100 tokens/s, pass@1 0.500" in html
    assert "scored by near" in html
    assert html.count("<progress") == 2
    assert "run folder runs/x" in html
    assert "<b>" not in "".join(notebook.shown)
    assert "\x1b" not in "".join(notebook.shown)


def test_the_shell_of_a_terminal_is_no_notebook(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = ModuleType("IPython")
    vars(package).update(get_ipython=lambda: SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", package)
    RunProgress().notice("hello")
    assert capsys.readouterr().err == "notice: hello\n"


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
