"""Shows a running evaluation on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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
        self._problems = 0
        self._next_line = 0.0

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        """Name the run folder and put up the bar."""
        self.run, self._problems = run, problems
        self._console.print(f"run folder {run}: {problems} problems, {candidates} candidates")
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("problems, {task.description}"))
            self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console)
            self._bar.add_task("", total=problems)
            self._bar.start()
        else:
            self._next_line = self._clock() + PLAIN_INTERVAL

    def notice(self, text: str) -> None:
        """Print one line above the bar."""
        self._console.print(f"notice: {text}")

    def progress(self, snapshot: Snapshot) -> None:
        """Move the bar, or print a line when the last one is `PLAIN_INTERVAL` old."""
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=snapshot.problems_done, description=describe(snapshot))
        elif self._clock() >= self._next_line:
            self._next_line = self._clock() + PLAIN_INTERVAL
            self._console.print(f"{snapshot.problems_done}/{self._problems} problems, {describe(snapshot)}")

    def stopped(self) -> None:
        """Take the bar down, leaving its last state on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
