"""Shows a running evaluation: how far it is, how fast, and how long it will take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import IO, NamedTuple

from codesample.evaluation.observer import Observer, Snapshot
from codesample.records.counted import counted
from codesample.records.validation import validated
from codesample.reports.progress_displays import PLAIN_INTERVAL, Row, display_for

__all__ = ["PLAIN_INTERVAL", "RunProgress", "TableProgress", "describe"]

# a pace is told once this much of it was seen
_LEAST_SECONDS = 1.0


def describe(snapshot: Snapshot) -> str:
    """Return the figures behind the bar: candidates judged, tokens per second, running pass@1."""
    parts = [f"{snapshot.candidates_done} judged"]
    # nothing is drawn where recorded samples are judged
    if snapshot.tokens:
        parts.append(f"{snapshot.tokens_per_second:,.0f} tokens/s")
    if snapshot.pass_at_1 is not None:
        parts.append(f"pass@1 {snapshot.pass_at_1:.3f}")
    return ", ".join(parts)


class _Begun(NamedTuple):
    """When a stage began in this process, and how much of it was there by then."""

    time: float
    done: int


@validated
class RunProgress(Observer):
    """An observer that draws: bars on a terminal, lines elsewhere, one block that changes in a notebook.

    Args:
        stream: Where to. Default: the notebook that this runs in, or stderr.
        clock: Seconds, monotonic.

    Attributes:
        run: The run folder, or None until there is one.
        short: A run folder with results that lack the rerankers that failed; None where none did.
    """

    def __init__(self, stream: IO[str] | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.run: Path | None = None
        self.short: Path | None = None
        self._clock = clock
        self._display = display_for(stream, clock)
        self._begun: dict[str, _Begun] = {}
        self._problems = self._candidates = 0

    def planned(self, what: str) -> None:
        """Print the line."""
        self._display.line(what)

    def started(self, run: Path, *, problems: int, candidates: int) -> None:
        """Name the run folder and put up the bar."""
        self.run, self._problems, self._candidates = run, problems, candidates
        self._begun.clear()
        self._display.close()
        self._display.line(
            f"run folder {run}: {counted(problems, 'problem')}, {counted(candidates, 'candidate')}"
        )
        self._display.show("judged", Row(0, problems, "", None, 0.0))

    def notice(self, text: str) -> None:
        """Print one line above the bar."""
        self._display.line(f"notice: {text}")

    def table(self, text: str) -> None:
        """Print one line."""
        self._display.line(text)

    def progress(self, snapshot: Snapshot) -> None:
        """Move the bar, or print a line when the last one is `PLAIN_INTERVAL` old."""
        left, spent = self._pace("judged", snapshot.candidates_done, self._candidates)
        row = Row(snapshot.problems_done, self._problems, describe(snapshot), left, spent)
        self._display.show("judged", row)

    def scored(self, reranker: str, *, done: int, problems: int) -> None:
        """Move a bar of the reranker's own, below the others, or print a line as `progress` does."""
        self.stage(f"scored by {reranker}", done=done, problems=problems)

    def stage(self, what: str, *, done: int, problems: int) -> None:
        """Move a bar of the stage's own, likewise."""
        left, spent = self._pace(what, done, problems)
        self._display.show(what, Row(done, problems, what, left, spent))

    def fell_short(self, run: Path) -> None:
        """Keep the folder, for whoever shows its results."""
        self.short = run

    def withdrawn(self) -> None:
        """Forget the run folder."""
        self.run = None

    def stopped(self) -> None:
        """Take the bars down, leaving their last state on the screen."""
        self._display.close()
        self._begun.clear()

    def _pace(self, stage: str, done: int, of: int) -> tuple[float | None, float]:
        """Return the seconds left at the pace of this process, None where unknown, and those spent."""
        now = self._clock()
        begun = self._begun.setdefault(stage, _Begun(now, done))
        spent, made = now - begun.time, done - begun.done
        if made <= 0 or spent < _LEAST_SECONDS:
            return None, spent
        return max(0, of - done) * spent / made, spent


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
