"""A table of runs for people: one line for each, with what it was made of and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from codesample.evaluation.report import Report
from codesample.evaluation.run_table import RunTable, TableRow

__all__ = ["render_table"]

_PARTS: dict[str, Callable[[TableRow], str]] = {
    "task": lambda row: row.task,
    "model": lambda row: row.model,
    "T": lambda row: f"{row.temperature:g}",
}


def render_table(table: RunTable) -> RenderableType:
    """Return what `codesample eval` of several tasks, models or temperatures ends with.

    What all runs share stands in the title. Figures are pass@k and the best of n, by each reranker and by an
    oracle.
    """
    reports = [row.report for row in table.rows if row.report]
    ks = sorted({k for report in reports for k in report.pass_at_k})
    rerankers = list(dict.fromkeys(name for report in reports for name in report.rerankers))
    values = {name: {of(row) for row in table.rows} for name, of in _PARTS.items()}
    differing = [name for name, found in values.items() if len(found) > 1]
    shared = [f"T {each}" if name == "T" else each for name, (each, *others) in values.items() if not others]
    title = ", ".join([*shared, f"{len(table.rows)} runs"])
    shown = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name in differing:
        shown.add_column(name, overflow="fold")
    for heading in ("n", *_headings(ks), *_short(rerankers), "oracle"):
        shown.add_column(heading, justify="right", overflow="fold")
    for row in table.rows:
        cells = _cells(row.report, ks, rerankers) if row.report else ("[red]failed[/red]",)
        shown.add_row(*(escape(_PARTS[name](row)) for name in differing), *cells)
    return Group(shown, *_legend(table, rerankers))


def _headings(ks: list[int]) -> Iterator[str]:
    for k in ks:
        yield f"pass@{k}"
        if k == ks[0]:
            yield "95 %"


def _short(rerankers: list[str]) -> list[str]:
    return [f"by {number}" for number, _ in enumerate(rerankers, 1)]


def _cells(report: Report, ks: list[int], rerankers: list[str]) -> Iterator[str]:
    yield str(report.n)
    for k in ks:
        found = report.pass_at_k.get(k)
        yield f"{found.value:.3f}" if found else "-"
        if k == ks[0]:
            yield f"{found.low:.3f}-{found.high:.3f}" if found else "-"
    for name in rerankers:
        yield f"{report.rerankers[name].best_of_n.value:.3f}" if name in report.rerankers else "-"
    yield f"{report.oracle.value:.3f}"


def _legend(table: RunTable, rerankers: list[str]) -> Iterator[str]:
    for short, name in zip(_short(rerankers), rerankers, strict=True):
        yield f"{short:<11} best of n by {escape(name)}"
    yield f"run folders {escape(str(table.folder))}, one for each; codesample report FOLDER says more of one"
