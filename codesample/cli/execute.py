"""`codesample execute`: judge samples of any origin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codesample.cli import options
from codesample.cli.errors import UNJUDGED, resumable
from codesample.cli.output import emit_json, show

__all__ = ["run"]

_NONE: list[str] = []


def run(
    context: typer.Context,
    samples: Annotated[
        Path, typer.Argument(metavar="SAMPLES.jsonl", help="Rows with task_id and completion or solution.")
    ],
    task: options.TaskOption = None,
    task_file: options.TaskFile = None,
    data: options.DataFile = None,
    k: options.K = None,
    reranker: options.NoRerankerSpecs = _NONE,
    out: options.RunOut = None,
    resume: options.Resume = False,
    workers: options.Workers = None,
    allow_weak_isolation: options.AllowWeakIsolation = None,
    json: options.Json = False,
) -> None:
    """Run recorded samples against a task's hidden tests and report pass@k."""
    from codesample.evaluation.execute_samples import execute_samples
    from codesample.reports.progress import RunProgress
    from codesample.reports.terminal import render

    progress = RunProgress()
    with resumable(context.obj, progress):
        outcome = execute_samples(
            samples,
            options.task_of(task, task_file),
            data=data,
            k=options.numbers(k),
            rerankers=reranker,
            out=out,
            resume=resume,
            workers=workers,
            allow_weak_isolation=allow_weak_isolation,
            observer=progress,
        )
    if json:
        emit_json(outcome.as_json())
    else:
        show(render(outcome))
    if outcome.harness_errors:
        raise typer.Exit(UNJUDGED)
