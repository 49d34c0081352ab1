"""`codesample report`: print a finished run, or a table of runs, again, or make a page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options, page
from codesample.cli.output import show_report, show_table
from codesample.errors import ParameterError

__all__ = ["run"]


def run(
    run: options.RunFolderArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Where the page of --html goes; default: report.html in RUN."),
    ] = None,
    *,
    html: Annotated[
        bool,
        typer.Option("--html", help="Write a page with charts and every candidate, for any browser."),
    ] = False,
    integrity: options.RecountIntegrity = None,
    greedy: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A run of temperature 0 of the same problems, shown beside."),
    ] = None,
    costs: Annotated[
        bool, typer.Option("--costs", help="Also what the scores of each reranker took.")
    ] = False,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Print the results of a finished run, or of a table of runs; with --html, write the page of a run."""
    from codesample.evaluation.greedy import with_greedy
    from codesample.evaluation.reranking import load_report, recount_run
    from codesample.evaluation.run_contents import read_run
    from codesample.evaluation.run_table import load_table
    from codesample.runs.table import holds_table

    if html:
        page.write(run, file, integrity=integrity, greedy=greedy, data=data, json=json)
        return
    if file is not None:
        raise ParameterError(f"{file}: only a page is written to a file; add --html")
    if holds_table(run) and integrity is None and greedy is None and not costs:
        show_table(load_table(run), as_json=json)
        return
    report = load_report(run) if integrity is None else recount_run(run, integrity=integrity, data=data)
    if greedy is not None:
        report = with_greedy(report, read_run(run, data=data), read_run(greedy, data=data))
    show_report(report, as_json=json, judged=False, costs=costs)
