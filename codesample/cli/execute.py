"""`codesample execute`: judge samples of any origin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.errors import resumable
from codesample.cli.output import show_report
from codesample.cli.records import takes_records
from codesample.evaluation.options import RunOptions

__all__ = ["run"]

_NONE: list[str] = []


@takes_records(problems=options.ProblemOptions, run=RunOptions)
def run(
    context: typer.Context,
    samples: Annotated[
        Path, typer.Argument(metavar="SAMPLES.jsonl", help="Rows with task_id and completion or solution.")
    ],
    *,
    task: options.TaskOption = None,
    problems: options.ProblemOptions,
    k: options.K = None,
    reranker: options.NoRerankerSpecs = _NONE,
    run: RunOptions,
    json: options.Json = False,
) -> None:
    """Run recorded samples against a task's hidden tests and report pass@k."""
    from codesample.evaluation.execute_samples import execute_samples
    from codesample.reports.progress import RunProgress

    progress = RunProgress()
    with resumable(context.obj, progress):
        report = execute_samples(
            samples,
            problems.task(task),
            data=problems.data,
            limit=problems.limit,
            ids=problems.ids or None,
            k=options.numbers(k),
            rerankers=reranker,
            run=run,
            observer=progress,
        )
    show_report(report, as_json=json)
