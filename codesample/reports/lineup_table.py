"""Several runs beside the first of them for people: figures with their differences, and what each took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os.path import commonpath
from pathlib import Path

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table

from codesample.evaluation.comparison import ComparedFigure
from codesample.evaluation.lineup import Lineup, RunCost
from codesample.records.counted import counted
from codesample.reports.comparison_table import said_p

__all__ = ["LineupPage", "cost_table"]

_SAID_NOTHING = "-"


class LineupPage:
    """What `codesample compare` prints of more than two runs."""

    def __init__(self, lineup: Lineup) -> None:
        self._lineup = lineup
        self._names = _short([Path(each.run) for each in lineup.costs])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        compared = self._lineup.comparisons
        problems = sorted({each.problems for each in compared})
        many = counted(problems[-1], "problem")
        if len(problems) > 1:
            many = f"{problems[0]} to {many}"
        yield escape(f"{len(self._names)} runs, each paired with the first by problem: {many}")
        for notice in dict.fromkeys(notice for each in compared for notice in each.notices):
            yield escape(f"note        {notice}")
        yield escape(f"note        p is of each pair by itself; {len(compared)} were looked at")
        for name in self._figures():
            yield self._table(name)
        yield cost_table(self._lineup.costs)

    def _figures(self) -> list[str]:
        """Return the figures that every pair has, in their order."""
        names = [[figure.name for figure in each.figures] for each in self._lineup.comparisons]
        return [name for name in names[0] if all(name in each for each in names)]

    def _table(self, name: str) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column(name if name.startswith("pass@") else f"by {name}", overflow="fold")
        for heading in ("mean", "difference", "95 % interval", "p", "won/lost"):
            table.add_column(heading, justify="right", no_wrap=True)
        figures = [_named(each.figures, name) for each in self._lineup.comparisons]
        # what it is of may differ from pair to pair, where runs lack problems
        before = sorted({f"{each.first.value:.3f}" for each in figures})
        table.add_row(escape(self._names[0]), " or ".join(before), "", "", "", "")
        for run, figure in zip(self._names[1:], figures, strict=True):
            pair = figure.paired
            table.add_row(
                escape(run),
                f"{figure.second.value:.3f}",
                f"{pair.difference.value:+.3f}",
                f"[dim]{pair.difference.low:+.3f}..{pair.difference.high:+.3f}[/dim]",
                said_p(pair),
                f"{pair.won}/{pair.lost}",
            )
        return table


def cost_table(costs: Sequence[RunCost]) -> Table:
    """Return what runs took, and of policies what they read and missed."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("took", overflow="fold")
    with_policy = any(each.policy for each in costs)
    headings = ["tokens", "sampling s"]
    headings += ["bytes", "missed", "worst", "prepare s", "choosing s"] if with_policy else []
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for run, cost in zip(_short([Path(each.run) for each in costs]), costs, strict=True):
        cells = [
            _SAID_NOTHING if cost.tokens is None else str(cost.tokens),
            _SAID_NOTHING if cost.sampling_seconds is None else f"{cost.sampling_seconds:.1f}",
        ]
        table.add_row(escape(run), *cells, *(_policy_cells(cost) if with_policy else []))
    return table


def _policy_cells(cost: RunCost) -> list[str]:
    facts = cost.policy
    if not facts:
        return ["100 %", "0 %", "", "", ""]
    if "share" not in facts:
        return [_SAID_NOTHING, "not counted", "", "", ""]
    audit = facts.get("audit")
    return [
        f"{100 * facts['share']:.1f} %",
        f"{100 * audit['missed']:.2f} %" if audit else "not audited",
        f"{100 * audit['worst']:.0f} %" if audit else "",
        f"{facts['prepare_seconds']:.1f}",
        f"{facts['refresh_seconds']:.1f}",
    ]


def _named(figures: tuple[ComparedFigure, ...], name: str) -> ComparedFigure:
    return next(each for each in figures if each.name == name)


def _short(paths: list[Path]) -> list[str]:
    """Return the paths without the folders that all of them are in."""
    kept = [each.absolute() for each in paths]
    shared = commonpath([each.parent for each in kept])
    return [str(each.relative_to(shared)) for each in kept]
