"""A table of runs for people: one line for each, with what it was made of and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table

from codesample.evaluation.report import Report
from codesample.evaluation.run_table import RunTable, TableRow

__all__ = ["render_table"]

# columns of a terminal that intervals fit on as well
_ROOMY = 76

_PARTS: dict[str, Callable[[TableRow], str]] = {
    "task": lambda row: row.task,
    "model": lambda row: row.model,
    "T": lambda row: f"{row.temperature:g}",
    "prompt": lambda row: row.report.prompt.get("style", "") if row.report else "",
}

# what a value alone does not tell
_NAMED = ("T", "prompt")


def render_table(table: RunTable) -> RenderableType:
    """Return what `codesample eval` of several tasks, models or temperatures ends with.

    What all runs share stands in the title. Figures are pass@k and the best of n, by each reranker and by an
    oracle; a terminal that is not narrow shows the interval of the first too.
    """
    reports = [row.report for row in table.rows if row.report]
    ks = sorted({k for report in reports for k in report.pass_at_k})
    return _SideBySide(table, ks, list(dict.fromkeys(name for each in reports for name in each.rerankers)))


@dataclass(frozen=True, slots=True)
class _SideBySide:
    runs: RunTable
    ks: list[int]
    rerankers: list[str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield self._table(roomy=options.max_width >= _ROOMY)
        for number, name in enumerate(self.rerankers, 1):
            yield f"by {number}        best of n by {escape(name)}"
        yield f"run folders {escape(str(self.runs.folder))}/..., one for each: codesample report FOLDER"

    def _table(self, *, roomy: bool) -> Table:
        rows = self.runs.rows
        # how a run that failed would have put its problems is not known
        values = {name: {of(row) for row in rows} - {""} for name, of in _PARTS.items()}
        differing = [name for name, found in values.items() if len(found) > 1]
        shared = [
            f"{name} {min(found)}" if name in _NAMED else min(found)
            for name, found in values.items()
            if len(found) == 1
        ]
        shown = Table(
            title=escape(", ".join([*shared, *self._shards(), f"{len(rows)} runs"])),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for name in differing:
            shown.add_column(name, overflow="fold")
        for heading in ("n", *self._headings(roomy), "oracle"):
            shown.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            cells = list(self._cells(row.report, roomy)) if row.report else ["[red]failed[/red]"]
            shown.add_row(*(escape(_PARTS[name](row)) for name in differing), *cells)
        return shown

    def _shards(self) -> list[str]:
        """Say that the figures are of shards alone."""
        found = {row.report.shard for row in self.runs.rows if row.report}
        return [f"shard {each}" for each in sorted(found - {""})]

    def _headings(self, roomy: bool) -> Iterator[str]:
        for k in self.ks:
            yield f"pass@{k}"
            if roomy and k == self.ks[0]:
                yield "95 %"
        yield from (f"by {number}" for number, _ in enumerate(self.rerankers, 1))

    def _cells(self, report: Report, roomy: bool) -> Iterator[str]:
        if not report.problems:
            yield "none"
            return
        yield str(report.n)
        for k in self.ks:
            found = report.pass_at_k.get(k)
            yield f"{found.value:.3f}" if found else "-"
            if roomy and k == self.ks[0]:
                yield f"{found.low:.3f}-{found.high:.3f}" if found else "-"
        for name in self.rerankers:
            chosen = report.rerankers.get(name)
            yield f"{chosen.best_of_n.value:.3f}" if chosen else "-"
        yield f"{report.oracle.value:.3f}"
