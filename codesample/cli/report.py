"""`codesample report`: print a finished run again."""

from __future__ import annotations

from codesample.cli import options
from codesample.cli.output import show_report

__all__ = ["run"]


def run(run: options.RunFolderArgument, json: options.Json = False) -> None:
    """Print the results of a finished run."""
    from codesample.evaluation.reranking import load_report

    show_report(load_report(run), as_json=json, judged=False)
