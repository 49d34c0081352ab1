"""Shows a running evaluation on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column

from codesample.evaluation.observer import Observer, Snapshot

__all__ = ["PLAIN_INTERVAL", "RunProgress", "TableProgress", "describe"]

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines."""

# in columns of the terminal
_WITHOUT_BAR, _LEAST_BAR, _MOST_BAR = 74, 4, 40


def _columns(width: int) -> list[ProgressColumn]:
    """Return what a line is made of: where all of it would not fit, the figures, whole."""
    figures = TextColumn("{task.description}", table_column=Column(no_wrap=True))
    done = MofNCompleteColumn(table_column=Column(no_wrap=True))
    if width < _WITHOUT_BAR + _LEAST_BAR:
        return [done, figures]
    bar = BarColumn(bar_width=min(_MOST_BAR, width - _WITHOUT_BAR))
    return [bar, done, TextColumn("problems,"), figures, TimeElapsedColumn()]


def describe(snapshot: Snapshot) -> str:
    """Return the figures that stand behind the bar: candidates judged, tokens per second, running pass@1."""
    parts = [f"{snapshot.candidates_done} judged", f"{snapshot.tokens_per_second:,.0f} tokens/s"]
    if snapshot.pass_at_1 is not None:
        parts.append(f"pass@1 {snapshot.pass_at_1:.3f}")
    return ", ".join(parts)


class RunProgress(Observer):
    """An observer that draws.

    Args:
        stream: Where to; default stderr.
        clock: Seconds, monotonic.

    Attributes:
        run: The run folder, or None until there is one.
    """

    def __init__(self, stream: IO[str] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.run: Path | None = None
        self._console = Console(file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self._clock = clock
        self._bar: Progress | None = None
        self._rows: dict[str, TaskID] = {}
        self._problems = 0
        self._next_line = clock() + PLAIN_INTERVAL

    def planned(self, what: str) -> None:
        """Print the line."""
        self._console.print(what)

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        """Name the run folder and put up the bar."""
        self.run, self._problems = run, problems
        self._console.print(f"run folder {run}: {problems} problems, {candidates} candidates")
        self._next_line = self._clock() + PLAIN_INTERVAL
        self._show("judged", done=0, of=problems, text="")

    def notice(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(f"notice: {text}")

    def table(self, text: str) -> None:
        """Print one line."""
        self._console.print(text)

    def progress(self, snapshot: Snapshot) -> None:
        """Move the bar, or print a line when the last one is `PLAIN_INTERVAL` old."""
        self._show("judged", done=snapshot.problems_done, of=self._problems, text=describe(snapshot))

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        """Move a bar of the reranker's own, below the others, or print a line as `progress` does."""
        self._show(f"by {reranker}", done=done, of=problems, text=f"scored by {reranker}")

    def withdrawn(self) -> None:
        """Forget the run folder."""
        self.run = None

    def stopped(self) -> None:
        """Take the bars down, leaving their last state on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            self._rows.clear()

    def _show(self, row: str, *, done: int, of: int, text: str) -> None:
        if not self._console.is_terminal:
            if self._clock() >= self._next_line:
                self._next_line = self._clock() + PLAIN_INTERVAL
                self._console.print(f"{done}/{of} problems, {text}")
            return
        if self._bar is None:
            self._bar = Progress(*_columns(self._console.width), console=self._console)
            self._bar.start()
        if row not in self._rows:
            self._rows[row] = self._bar.add_task("", total=of)
        self._bar.update(self._rows[row], completed=done, description=text)


class TableProgress(RunProgress):
    """Shows the runs of a table one after another; `run` is the table's folder from the first of them on.

    Args:
        folder: The table's.
    """

    def __init__(self, folder: Path, stream: IO[str] | None = None) -> None:
        super().__init__(stream)
        self._folder = folder

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        """As of a single run."""
        super().started(run, problems=problems, candidates=candidates)
        self.run = self._folder

    def table(self, text: str) -> None:
        """Print one line; there is something to go on with."""
        super().table(text)
        self.run = self._folder

    def withdrawn(self) -> None:
        """Keep the folder: the table goes on."""
