"""`codesample merge`: the shards of a run become one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.output import show_report, show_table
from codesample.errors import ParameterError

__all__ = ["run"]


def run(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of all shards, of a run or of a table."),
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="New run folder; default: one under runs/.")] = None,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Make one run of all shards of a run, equal to the run of a single process; the shards stay."""
    from codesample.evaluation.merged_table import merge_tables
    from codesample.evaluation.merging import merge_runs
    from codesample.runs.table import holds_table

    if not any(map(holds_table, runs)):
        show_report(merge_runs(runs, out, data=data), as_json=json, judged=False)
        return
    if data is not None:
        raise ParameterError("--data: a table has several tasks; it is read where the shards read it")
    show_table(merge_tables(runs, out), as_json=json)
