"""Two runs, or two rerankers, side by side for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table

from codesample.evaluation.comparison import ComparedFigure, Comparison, ProblemChange
from codesample.evaluation.paired import Paired
from codesample.records.counted import counted
from codesample.reports.choice_table import cells_width, fitted, no_room_for, widest_piece
from codesample.reports.page_lines import LabelledLine

__all__ = ["ComparisonPage", "said_p"]

_HASH = re.compile(r"[0-9a-f]{32,}")
# of a hash, as many as tell two apart
_DIGITS = 12
# columns of a terminal on which intervals have room
_ROOMY = 76
_EDGES = 3
_INTERVAL = "95 % interval"
_LONG, _SHORT = "difference", "change"
_HEADINGS = ("first", "second", _LONG, _INTERVAL, "p", "won/lost")
# what goes where names have no room beside it, first to last
_SPARED = (_INTERVAL, "won/lost", "p")


class ComparisonPage:
    """What `codesample compare` prints.

    Args:
        compared: The two.
        show: How many problems are named for each figure and side; 0 names all.
    """

    def __init__(self, compared: Comparison, *, show: int) -> None:
        self._compared, self._show = compared, show

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        compared = self._compared
        where = f" of {compared.run}" if compared.run else ""
        yield escape(
            f"two {compared.kind}{where}, paired by problem: {counted(compared.problems, 'problem')}"
        )
        yield LabelledLine(escape(f"first       {compared.first}"))
        yield LabelledLine(escape(f"second      {compared.second}"))
        # what weakens figures is read before them
        for notice in compared.notices:
            yield LabelledLine(escape(f"note        {notice}"))
        table, spared = self._table(options.max_width)
        yield table
        if spared:
            yield no_room_for(spared)
        for change in compared.settings:
            yield LabelledLine(
                escape(f"differs     {change.name}: {_said(change.first)}, then {_said(change.second)}")
            )
        for side, ids in (("first", compared.only_first), ("second", compared.only_second)):
            if ids:
                said = f"{counted(len(ids), 'problem')}, which count nowhere: {self._named(ids)}"
                yield LabelledLine(escape(f"only {side:7}{said}"))
        for figure in compared.figures:
            # larger k say of the same problems the same
            if not figure.name.startswith("pass@") or figure.name == "pass@1":
                yield from self._changes(figure)

    def _table(self, width: int) -> tuple[Table, list[str]]:
        """Return the table, and the headings that have no room in it."""
        rows = {self._label(each): _cells(each) for each in self._compared.figures}
        kept = list(_HEADINGS)
        if width < _ROOMY:
            kept.remove(_INTERVAL)
        for spared in ("", *_SPARED):
            kept = [each for each in kept if each != spared]
            # the heading alone would cost names their room
            headings = [_SHORT if each == _LONG and _INTERVAL not in kept else each for each in kept]
            columns = [headings, *([cells[each] for each in kept] for cells in rows.values())]
            room = width - cells_width(columns) - _EDGES
            if max(map(widest_piece, rows), default=0) <= room:
                break
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("", overflow="fold")
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for label, cells in rows.items():
            table.add_row(escape(fitted(label, room)), *(cells[each] for each in kept))
        return table, [each for each in _HEADINGS if each not in kept]

    def _label(self, figure: ComparedFigure) -> str:
        if self._compared.kind == "rerankers":
            return "best of n"
        by = figure.name.startswith("pass@")
        return figure.name if by else f"by {'an oracle' if figure.name == 'oracle' else figure.name}"

    def _changes(self, figure: ComparedFigure) -> Iterator[LabelledLine]:
        lost = [each for each in figure.changes if each.difference < 0]
        won = sorted((each for each in figure.changes if each.difference > 0), key=_gain, reverse=True)
        for word, changes in (("lost", lost), ("won", won)):
            if changes:
                named = self._named([_change(each) for each in changes])
                yield LabelledLine(escape(f"{word:12}{self._label(figure)}: {named}"))

    def _named(self, words: Sequence[str]) -> str:
        shown = list(words) if self._show == 0 else words[: self._show]
        more = len(words) - len(shown)
        return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _cells(figure: ComparedFigure) -> dict[str, str]:
    """Return what stands below each heading."""
    pair = figure.paired
    told = (
        f"{figure.first.value:.3f}",
        f"{figure.second.value:.3f}",
        f"{pair.difference.value:+.3f}",
        f"[dim]{pair.difference.low:+.3f}..{pair.difference.high:+.3f}[/dim]",
        said_p(pair),
        f"{pair.won}/{pair.lost}",
    )
    return dict(zip(_HEADINGS, told, strict=True))


def _gain(change: ProblemChange) -> float:
    return round(change.difference, 9)


def _change(change: ProblemChange) -> str:
    return f"{change.task_id} ({change.first:.2f} to {change.second:.2f})"


def _said(value: object) -> str:
    if value is None or value in ("", []):
        return "not said"
    return f"{value[:_DIGITS]}..." if isinstance(value, str) and _HASH.fullmatch(value) else str(value)


def said_p(pair: Paired) -> str:
    """Return a pair's p in a few characters."""
    return "<.001" if pair.p < 0.001 else f"{pair.p:.3f}".removeprefix("0")
