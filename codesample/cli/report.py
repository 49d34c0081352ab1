"""`codesample report`: print a finished run, or a table of runs, again."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import show_report, show_table

__all__ = ["run"]


def run(
    run: options.RunFolderArgument,
    *,
    integrity: options.RecountIntegrity = None,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Print the results of a finished run, or of a table of runs."""
    from codesample.evaluation.reranking import load_report, recount_run
    from codesample.evaluation.run_table import load_table
    from codesample.runs.table import holds_table

    if holds_table(run) and integrity is None:
        show_table(load_table(run), as_json=json)
        return
    report = load_report(run) if integrity is None else recount_run(run, integrity=integrity, data=data)
    show_report(report, as_json=json, judged=False)
