"""`codesample report`: print a finished run again."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import emit_json, show

__all__ = ["run"]


def run(run: options.RunFolderArgument, json: options.Json = False) -> None:
    """Print the results of a finished run."""
    from codesample.evaluation.reranking import load_report
    from codesample.reports.terminal import render

    outcome = load_report(run)
    if json:
        emit_json(outcome.as_json())
    else:
        show(render(outcome))
