"""Where progress is shown: live bars on a terminal, lines in a log, one block in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from codesample.reports.visible import safe

__all__ = ["PLAIN_INTERVAL", "Display", "Row", "display_for", "duration"]

PLAIN_INTERVAL = 10.0
"""Seconds between two plain lines."""

_NOTEBOOK_INTERVAL = 0.5
# of what a notebook shows above the bars
_NOTEBOOK_LINES = 12

# in columns of the terminal
_WITHOUT_BAR, _LEAST_BAR, _MOST_BAR = 74, 4, 40


@dataclass(frozen=True, slots=True)
class Row:
    """How far one stage is.

    Attributes:
        done, of: Problems.
        text: Its figures, in words.
        left: Seconds that are left at the pace so far; None where that cannot be told.
        spent: Seconds since it began.
    """

    done: int
    of: int
    text: str
    left: float | None
    spent: float

    @property
    def time(self) -> str:
        """What is left, or what it took once it is done; "" where nothing can be told."""
        if self.done >= self.of:
            return f"in {duration(self.spent)}"
        return "" if self.left is None else f"{duration(self.left)} left"

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.of) if self.of > 0 else 1.0


class Display(Protocol):
    """Shows lines, and stages below them."""

    def line(self, text: str) -> None:
        """Show a line."""
        ...

    def show(self, name: str, row: Row) -> None:
        """Show how far a stage is, in the place of what was shown of it before."""
        ...

    def close(self) -> None:
        """Leave the last state; more may be shown."""
        ...


def display_for(stream: IO[str] | None, clock: Callable[[], float]) -> Display:
    """Return what suits a stream: stderr, or the notebook around it, where none is given."""
    if stream is None and (display := _notebook_display()) is not None:
        return _Notebook(display, clock)
    console = Console(
        file=stream or sys.stderr, highlight=False, markup=False, soft_wrap=True, force_jupyter=False
    )
    return _Bars(console) if console.is_terminal else _Lines(console, clock)


def duration(seconds: float) -> str:
    """Return a time in few letters, of two units at most: 45s, 12m, 1h02m, 3d04h."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 59.5:
        return f"{max(0, round(seconds))}s"
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02}m"
    return f"{hours // 24}d{hours % 24:02}h"


class _Lines:
    """A line now and then, and every line that is not of a stage."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console, self._clock = console, clock
        self._next = clock() + PLAIN_INTERVAL

    def line(self, text: str) -> None:
        self._console.print(text)

    def show(self, name: str, row: Row) -> None:
        # the first state of a stage says nothing yet
        if self._clock() < self._next:
            return
        self._next = self._clock() + PLAIN_INTERVAL
        time = f", {row.time}" if row.time else ""
        self._console.print(f"{row.done}/{row.of} problems, {row.text}{time}")

    def close(self) -> None:
        self._next = self._clock() + PLAIN_INTERVAL


class _Bars:
    """A bar for each stage; on a narrow terminal, below its figures."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def line(self, text: str) -> None:
        # broken between words
        self._console.print(text, soft_wrap=False)

    def show(self, name: str, row: Row) -> None:
        if self._bars is None:
            self._bars = Progress(*_columns(self._console), console=self._console)
            self._bars.start()
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=row.of, time="")
        self._bars.update(self._tasks[name], completed=row.done, description=row.text, time=row.time)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()


def _columns(console: Console) -> list[ProgressColumn]:
    """Return what a line is made of; where all of it would not fit, the figures whole and a bar below."""
    if console.width < _WITHOUT_BAR + _LEAST_BAR:
        return [_Narrow(console)]
    whole = Column(no_wrap=True)
    return [
        BarColumn(bar_width=min(_MOST_BAR, console.width - _WITHOUT_BAR)),
        MofNCompleteColumn(table_column=whole),
        TextColumn("problems,", table_column=whole),
        TextColumn("{task.description}", table_column=whole),
        TextColumn("{task.fields[time]}", style="progress.remaining", table_column=whole),
    ]


class _Narrow(ProgressColumn):
    """Two lines: figures, then a bar with its share and the time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._width, self._mark = console.width, "-" if console.options.ascii_only else "━"
        # without colours, what is to come would look like what is done
        self._rest = " " if console.no_color or not console.color_system else self._mark

    def render(self, task: Task) -> Text:
        done, of = int(task.completed), int(task.total or 0)
        share = done / of if of else 1.0
        said = f" {share:4.0%} {task.fields['time']}".rstrip()
        room = max(0, min(_MOST_BAR, self._width - len(said)))
        full = round(room * share)
        bar = Text.assemble(
            (self._mark * full, "bar.complete"), (self._rest * (room - full), "bar.back"), said
        )
        return Text.assemble(f"{done}/{of} {task.description}".rstrip(), "\n", bar)


class _Notebook:
    """One block of HTML that is replaced, at most twice a second: no widgets, and no line for each step."""

    def __init__(self, display: Callable[[str], Callable[[str], None]], clock: Callable[[], float]) -> None:
        self._display, self._clock = display, clock
        self._update: Callable[[str], None] | None = None
        self._lines: list[str] = []
        self._rows: dict[str, Row] = {}
        self._next = clock()

    def line(self, text: str) -> None:
        self._lines.append(text)
        self._draw()

    def show(self, name: str, row: Row) -> None:
        known, self._rows[name] = name in self._rows, row
        if not known or self._clock() >= self._next:
            self._draw()

    def close(self) -> None:
        if self._update is not None:
            self._draw()
        self._update = None
        self._lines, self._rows = [], {}

    def _draw(self) -> None:
        self._next = self._clock() + _NOTEBOOK_INTERVAL
        html = _html(self._lines, self._rows)
        if self._update is None:
            self._update = self._display(html)
        else:
            self._update(html)


def _html(lines: list[str], rows: dict[str, Row]) -> str:
    shown = lines[-_NOTEBOOK_LINES:]
    head = [f"… {len(lines) - len(shown)} lines before"] if len(shown) < len(lines) else []
    text = "".join(f'<div style="opacity:.8">{escape(safe(each))}</div>' for each in [*head, *shown])
    bars = "".join(map(_bar_html, rows.values()))
    return f'<div class="codesample">{text}{bars}</div>'


def _bar_html(row: Row) -> str:
    name = escape(safe(row.text), quote=True)
    said = escape(safe(", ".join(filter(None, (row.text, row.time)))))
    style = "width:16em;vertical-align:middle"
    bar = f'<progress value="{row.share:.4f}" max="1" aria-label="{name}" style="{style}"></progress>'
    numbers = "font-variant-numeric:tabular-nums"
    return f'<div style="{numbers}">{bar} {row.done}/{row.of} problems, {said}</div>'


def _notebook_display() -> Callable[[str], Callable[[str], None]] | None:
    """Return a function that shows HTML and gives one that replaces it; None outside of notebooks."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # the shell of a terminal has none
    if shell is None or not hasattr(shell, "kernel"):
        return None
    import IPython.display

    # parts of it have no types
    shown: Any = IPython.display

    def show(html: str) -> Callable[[str], None]:
        handle = shown.display(shown.HTML(html), display_id=True)
        return lambda changed: handle.update(shown.HTML(changed))

    return show
