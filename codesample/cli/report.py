"""`codesample report`: print a finished run again."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import show_report

__all__ = ["run"]


def run(
    run: options.RunFolderArgument,
    *,
    integrity: options.RecountIntegrity = None,
    data: options.MovedData = None,
    json: options.Json = False,
) -> None:
    """Print the results of a finished run."""
    from codesample.evaluation.reranking import load_report, recount_run

    report = load_report(run) if integrity is None else recount_run(run, integrity=integrity, data=data)
    show_report(report, as_json=json, judged=False)
