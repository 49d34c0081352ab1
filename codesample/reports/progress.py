"""Shows a running evaluation on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from codesample.evaluation.observer import Observer, Snapshot

__all__ = ["PLAIN_INTERVAL", "RunProgress", "describe"]

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines."""


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
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("problems, {task.description}"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console)
            self._bar.start()
        if row not in self._rows:
            self._rows[row] = self._bar.add_task("", total=of)
        self._bar.update(self._rows[row], completed=done, description=text)
